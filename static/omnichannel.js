//# allFunctionsCalledOnLoad
// (Chromium compiles them all while they arrive, off the page's thread, and not one by one on it.)
/*
 * omnichannel.js: tells the collector what happens on a page, and loses nothing on the way.
 * It reads in the order of an event's life: called, made, kept, sent, answered; then leaving the page, and coming back.
 *
 * What a page declares (var, let or const), read by its bare name whenever it is needed:
 *   ochnkey        the app key
 *   ochntrack()    called once when this script has loaded, and again when the back button revives the page
 *   enableLogging  true: to the console; a function (what, detail): to that; else silence, whatever happens
 *
 * What a page calls. None of it throws, waits for the network or touches the page:
 *   ochn.init(email?)  ochn.send(requestType, actionType, data?)  ochn.register(lead)  ochn.prepopulate({email})
 *   ochn.config({…})   asks for what is off by default, as data-… attributes of the script's tag do; gives what is on
 *   ochn.state()       {visitor, kind, queued, sent, dropped, failures}
 * All but these two give a promise that already carries its answer, {status, message}: pages read it with and without
 * await. Calls made before this script is there may wait as [name, ...arguments] in window.ochn = {q: []}.
 *
 * What stays in the browser (localStorage; in memory where that is blocked):
 *   ochn:q:<n>       one event until the collector has it: path, line feed, form. <n> is its id (eid): the time in
 *                    base 36, then the tab's name. At most 1,000 events and 512 KiB; the oldest goes first
 *   ochn:tab:<t>     until when (ms) tab <t> looks after its events; past that, another tab takes them over
 *   ochn:id          the visitor as the collector named it: {id, kind: "p" or "c", key, mail: a hash, at}
 *   ochn:leads       what was registered here, for prepopulate: five leads, 180 days, no files, no passwords
 *   cookie ochn_vid  the visitor's id, 400 days
 *
 * On the wire: POST <base>/jsapi/init, /send or /register, each a form; several wait for each other in a /batch, which
 * is JSON of those forms as text. No header asks for a preflight.
 */
(function () {
  'use strict';

  const { version, q: early = [] } = window.ochn || {};
  if (version) return; // loaded twice

  const QUEUE = 'ochn:q:';
  const TAB = 'ochn:tab:';
  const COOKIE = 'ochn_vid';
  const DAY = 864e5; // ms
  const LEASE = 3e4; // ms that a tab's word for its events is good
  const HANDOVER = 5e3; // ms that a page leaves its events to the next page of the same site
  const GATHER = 90; // ms that a call waits for others
  const MAX_EVENTS = 1000; // of all tabs
  const MAX_KEPT = 512 * 1024; // characters in localStorage, of all tabs
  const MAX_KEPT_FILES = 128 * 1024; // characters of one lead
  const MAX_AIRBORNE = 6e4; // bytes; browsers refuse keepalive past 64 KiB in flight
  const MAX_BATCH = 100; // events
  const ADDRESS = 200; // characters that sending adds to an event
  const MAX_FIELDS = 6e4; // characters of one event, its files apart
  const FIELD_COST = 64; // counted on top for each field: so no event has 1,000, the collector's limit
  const MAX_VALUE = 5400; // characters: 16 KiB at three bytes each, the collector's limit
  const MAX_NAME = 256; // bytes, the collector's limit
  const MAX_FILE = 5 * 1024 * 1024; // bytes: as base64 still within the collector's limit for a lead

  // --- What the page declares ------------------------------------------------------------------------------------

  // What may throw for the page's or the browser's own reasons: undefined then.
  function attempt(call) {
    try { return call(); } catch (e) { /* not declared, blocked, or not what we wrote */ }
  }

  // A bare name reaches let and const, which are no properties of window. In their dead zone even typeof throws.
  function appKey() {
    return attempt(() => String(ochnkey || '')) || '';
  }

  function note(what, detail) {
    attempt(() => {
      const log = typeof enableLogging === 'undefined' ? 0 : enableLogging; // to throw a thousand times takes its time
      if (typeof log === 'function') log(what, detail);
      else if (log) console.log('ochn: ' + what, detail === undefined ? '' : detail);
    });
  }

  // Events go where this script came from: under an alias path, to the root of that origin.
  const tag = document.currentScript || { dataset: {} };
  const base = (() => {
    const find = (script) => /^(.*\/jsapi\/)omnichannel[^/]*\.js([?#]|$)/.exec(script.src);
    const found = find(tag) || [...document.scripts].map(find).find(Boolean);
    return found ? found[1] : /^(https?:\/\/[^/]+|)/.exec(tag.src)[1] + '/jsapi/';
  })();

  // What a page asks for beyond its calls: data-spa is {spa: true}, data-endpoint="/t" is {endpoint: '/t'}.
  const options = {};
  Object.entries(tag.dataset).forEach(([name, value]) => { options[name] = value !== 'false' && (value || true); });

  function urlOf(name) {
    return (options.endpoint ? options.endpoint + '/' : base) + name;
  }

  function cookie(name) {
    return attempt(() => {
      const [, found] = ('; ' + document.cookie).split('; ' + name + '=');
      return found && decodeURIComponent(found.split(';')[0]); // nothing is thrown where there is none: that is dear
    }) || '';
  }

  // With data-consent: true, false, or undefined while the visitor has not answered. An answer outweighs the browser's
  // own signals, which stand for a no where there is none.
  function mayTrack() {
    if (!options.consent) return true;
    const said = cookie('cookie_consent');
    const purpose = /^(accepted|declined)$/.test(said) ? said :
      attempt(() => JSON.parse(said)[options.consent === true ? 'analytics' : options.consent]);
    if (purpose !== undefined) return /^(true|1|yes|accepted|granted)$/.test(purpose);
    return navigator.globalPrivacyControl || navigator.doNotTrack === '1' ? false : undefined;
  }

  // --- Called ----------------------------------------------------------------------------------------------------

  let spoken = false; // the page has sent more than init

  function init(email) {
    email = email ? String(email).trim() : '';
    const mail = hash(email);
    if (isKnown(appKey(), mail)) return introduced();
    if (!queue.some((event) => event.path === 'init' && event.mail === mail)) enqueue(introduction(email));
    return answer('ok', 'on its way');
  }

  function introduced() {
    later(() => spoken || note('init ok, no send on this page'), 1000);
    return answer('ok', 'init ok');
  }

  function send(requestType, actionType, data) {
    spoken = true;
    const event = make('send');
    add(event, 'requestType', requestType);
    add(event, 'actionType', actionType);
    addPage(event);
    add(event, 'aditionalData', data); // the vendor's spelling
    enqueue(event);
    return answer('ok', 'on its way');
  }

  function config(given) {
    Object.assign(options, given);
    later(ask, 0);
    return options;
  }

  // Pages pass a second argument, as the vendor's script takes one; every lead is kept and delivered without it.
  function register(lead) {
    if (!lead || typeof lead !== 'object') return answer('error', 'not a lead');
    spoken = true;
    const event = make('register');
    add(event, 'lead', lead);
    event.held = event.files.length > 0; // kept at once, sent when its files are read
    const settled = new Promise((settle) => {
      event.settle = settle;
      // Who awaits hears the collector's verdict, or goes on without it: the lead is kept either way.
      setTimeout(settle, 3000, { status: 'ok', message: 'on its way' });
    });
    enqueue(event);
    if (event.held) readFiles(event);
    if (mayTrack()) remember(lead);
    return answer('ok', 'on its way', settled);
  }

  // From this browser's memory alone: nobody is shown a stranger's data for typing the stranger's e-mail.
  function prepopulate(person) {
    const email = plain(person && person.email);
    const lead = email && recall().find((one) => plain(one.fields.userEmail) === email);
    return lead ? answer('ok', 'registered', 0, lead.fields) : answer('ok', 'not registered', 0, {});
  }

  function answer(status, message, promise, data) {
    const said = data ? { status, message, data } : { status, message };
    return Object.assign(promise || Promise.resolve(said), said);
  }

  // --- Made ------------------------------------------------------------------------------------------------------

  let lastTime = 0;

  function make(path) {
    lastTime = Math.max(Date.now(), lastTime + 1); // ids are never the same twice, and sort as the events came
    const eid = lastTime.toString(36) + tab;
    const key = appKey();
    const body = (key && 'appkey=' + encode(key) + '&') + 'eid=' + eid + '&ts=' + Date.now();
    const event = { path, eid, mail: '', body, extra: '', files: [], room: MAX_FIELDS };
    add(event, 'consent', cookie('cookie_consent') || null); // the cookie itself does not go to another origin
    return event;
  }

  function encode(text) {
    try {
      return encodeURIComponent(text);
    } catch (e) { // a lone surrogate, which this mends
      return String(new URLSearchParams({ '': text })).slice(1);
    }
  }

  function pair(name, value) {
    return '&' + encode(name) + '=' + encode(value);
  }

  // {a: [1, {b: 2}]} -> a[0]=1, a[1][b]=2: as JSON reads it, in PHP's brackets. What a form cannot carry stays behind
  // (functions, nodes, cycles past five levels, indexes past 99), and so does what throws when it is looked at.
  function add(event, name, value, depth = 0) {
    try {
      if (value && typeof value.toJSON === 'function') value = value.toJSON();
      if (value == null || value.nodeType || typeof value === 'function') return;
      event.room -= FIELD_COST + name.length;
      if (event.room < 0 || depth > 5 || name.replace(/[^\0-\x7f]/g, '...').length > MAX_NAME) throw name;
      if (typeof value !== 'object') addText(event, name, String(value));
      else if (value instanceof Blob) addFile(event, name, value, depth);
      else {
        for (const key of Object.keys(value)) {
          if (!/^\d{3,}$/.test(key)) add(event, name + '[' + key + ']', value[key], depth + 1);
        }
      }
    } catch (e) {
      note('left out', name);
    }
  }

  function addText(event, name, text) {
    // A lead's long text is most often a file in base64 already.
    if (text.length > MAX_VALUE && event.path === 'register') event.extra += pair(name, text);
    else {
      text = text.slice(0, Math.min(MAX_VALUE, event.room));
      event.room -= text.length;
      event.body += pair(name, text);
    }
  }

  function addFile(event, name, file, depth) {
    add(event, name + '[name]', file.name, depth + 1);
    add(event, name + '[type]', file.type, depth + 1);
    if (file.size > MAX_FILE) throw name;
    event.files.push({ name: name + '[data]', file });
  }

  function readFiles(event) {
    const reads = event.files.map(({ name, file }) => new Promise((done) => {
      const reader = new FileReader();
      reader.onloadend = () => {
        const data = String(reader.result || '').split(',')[1]; // data:image/png;base64,iVBORw0…
        if (data) event.extra += pair(name, data);
        done();
      };
      reader.readAsDataURL(file);
    }));
    Promise.all(reads).catch(() => note('left out', 'file')).then(() => {
      event.held = false;
      if (queue.includes(event)) keep(event);
      wake();
    });
  }

  function addPage(event) {
    const url = document.URL;
    add(event, 'page[url]', url);
    add(event, 'page[title]', document.title);
    add(event, 'page[referrer]', document.referrer);
    if (url.includes('utm_')) { // as good as never
      new URLSearchParams(location.search).forEach((value, name) => {
        if (/^utm_./.test(name)) add(event, 'utm[' + name.slice(4) + ']', value);
      });
    }
  }

  function introduction(email) {
    const event = make('init');
    event.mail = hash(email);
    if (email) add(event, 'email', email);
    add(event, 'technicalInfo', {
      screenSize: screen.width + 'x' + screen.height,
      browserUserAgent: navigator.userAgent,
      browserType: agent('Edge=Edg,Opera=OPR,Firefox=Firefox|FxiOS,Chrome=Chrom|CriOS,Safari'),
      deviceOs: agent('Windows,Android,iOS=iPhone|iPad|iPod,macOS=Mac OS,Linux=Linux|CrOS'),
    });
    addPage(event);
    return event;
  }

  function agent(marks) {
    const found = marks.split(',').find((mark) => navigator.userAgent.match(mark.split('=').pop()));
    return found && found.split('=')[0];
  }

  // --- Kept ------------------------------------------------------------------------------------------------------

  const queue = []; // this tab's events, oldest first
  let tab = newName();
  const mine = new Set([tab]); // the tabs whose events those are: this one, and closed ones it took over
  const others = new Map(); // eid -> what living tabs keep: {eid, path, size}
  let leasedUntil = 0;
  let dropped = 0;
  let asking = 0;

  // Each access is tried anew: reading window.localStorage itself throws where the browser blocks it.
  const disk = {
    get: (key) => attempt(() => localStorage.getItem(key)) || '',
    set: (key, value) => attempt(() => { localStorage.setItem(key, value); return true; }),
    remove: (key) => attempt(() => localStorage.removeItem(key)),
    keys: () => attempt(() => Object.keys(localStorage)) || [],
  };

  function newName() {
    return crypto.getRandomValues(new Uint32Array(2)).reduce((name, part) => name + part.toString(36), '');
  }

  function ownerOf(eid) {
    return eid.slice(8); // the time before it has eight digits until the year 2059
  }

  function enqueue(event) {
    if (mayTrack() === false && event.path !== 'register') return erase();
    queue.push(event);
    keep(event);
    trim();
    note('kept', sketch(event));
    wake();
  }

  function keep(event) {
    const text = event.body + (event.extra.length > MAX_KEPT_FILES ? '' : event.extra);
    event.size = text.length;
    if (!mayTrack() && event.path !== 'register') return; // in memory until the visitor has answered
    while (!(event.stored = disk.set(QUEUE + event.eid, event.path + '\n' + text))) {
      // Full: what is sent next can do without its copy. Blocked: there is no copy to give up.
      const next = queue.find((other) => other.stored);
      if (!next) return;
      next.stored = false;
      disk.remove(QUEUE + next.eid);
    }
    if (timer >= 0) lease(LEASE); // before that, it is for attend to give
  }

  // A living tab goes on with its events when their copies are gone.
  function trim() {
    const kept = [...queue, ...others.values()];
    let size = kept.reduce((sum, event) => sum + event.size, 0);
    if (kept.length <= MAX_EVENTS && size <= MAX_KEPT) return;
    if (others.size) kept.sort(byAge);
    const idle = (event) => !event.flying;
    while (kept.length > MAX_EVENTS || size > MAX_KEPT) {
      const oldest = kept.find((event) => idle(event) && event.path === 'send') || kept.find(idle); // leads go last
      if (!oldest) return;
      size -= oldest.size;
      kept.splice(kept.indexOf(oldest), 1);
      drop(oldest, 'too many wait');
    }
  }

  function byAge(a, b) {
    return a.eid < b.eid ? -1 : 1;
  }

  function drop(event, message) {
    dropped++;
    forget(event);
    note('dropped: ' + message, sketch(event));
    if (event.settle) event.settle({ status: 'error', message });
  }

  function forget(event) {
    const at = queue.indexOf(event);
    if (at >= 0) queue.splice(at, 1);
    others.delete(event.eid);
    disk.remove(QUEUE + event.eid);
  }

  // After a no nothing of ours stays here but a lead on its way, which is the visitor's own message.
  function erase() {
    queue.filter((event) => event.path !== 'register').forEach(forget);
    disk.keys().filter((key) => /^ochn:/.test(key) && !/^register/.test(disk.get(key))).forEach(disk.remove);
    setCookie('', 0);
    visitor = {};
  }

  // Tells other tabs that these events are looked after. Written again only when the last word has got old.
  function lease(ms) {
    const until = Date.now() + ms;
    if (gone || !queue.some((event) => event.stored) || Math.abs(until - leasedUntil) < 5e3) return;
    leasedUntil = until;
    mine.forEach((one) => disk.set(TAB + one, until));
  }

  // Until the visitor has answered nothing is stored, sent or loaded; this asks again each second.
  function ask() {
    const may = mayTrack();
    clearTimeout(asking);
    if (may === undefined) asking = later(ask, 1000);
    if (may === false) erase();
    if (!may) return;
    queue.filter((event) => !event.stored).forEach(keep);
    adopt();
    attempt(equip); // a policy may stop it
  }

  // Takes over what closed, crashed and left pages still had; looks again when the word of a living tab runs out.
  function adopt() {
    const now = Date.now();
    const keys = disk.keys().sort();
    const alive = new Map();
    keys.filter((key) => key.startsWith(TAB)).forEach((key) => {
      const until = +disk.get(key);
      if (until > now && until < now + DAY) alive.set(key.slice(TAB.length), until);
      else disk.remove(key);
    });
    const here = new Set(queue.map((event) => event.eid));
    let again = Infinity;
    keys.filter((key) => key.startsWith(QUEUE)).forEach((key) => {
      const eid = key.slice(QUEUE.length);
      const owner = ownerOf(eid);
      if (!mine.has(owner) && alive.has(owner)) {
        again = Math.min(again, alive.get(owner) - now);
        observe(eid, disk.get(key));
      } else if (!here.has(eid)) {
        others.delete(eid);
        mine.add(owner);
        const event = read(eid, disk.get(key));
        if (event.body) queue.push(event);
        else disk.remove(key); // nothing that this script wrote
      }
    });
    queue.sort(byAge);
    leasedUntil = 0;
    lease(LEASE);
    if (again < Infinity) later(ask, again + Math.random() * 1000);
    if (queue.length) wake();
  }

  function observe(eid, text) {
    if (text) others.set(eid, read(eid, text));
    else others.delete(eid);
  }

  function read(eid, text) {
    const [path, body] = text.split('\n');
    const mail = path === 'init' ? hash(new URLSearchParams(body).get('email')) : '';
    return { path, eid, mail, body, extra: '', size: text.length, stored: true };
  }

  // --- Sent ------------------------------------------------------------------------------------------------------

  let timer = 0; // the next attempt: due at once, or after a pause
  let failures = 0; // in a row
  let refused = false; // an init was: only the page may ask again
  let alone = false; // a batch was: its events go one by one
  let airborne = 0; // bytes of keepalive bodies in flight

  // A moment later: the caller is done at once, a key in its dead zone gets its value, what is called together goes
  // together, and where a navigation follows at once nothing is in flight whose answer nobody would hear.
  function wake() {
    if (gone) Promise.resolve().then(safely(leave)); // called by the page's own pagehide
    else timer = timer || later(drain, sent && GATHER); // what a page begins with, at once
  }

  function pause(ms) {
    clearTimeout(timer);
    timer = later(drain, ms);
    lease(ms + LEASE);
  }

  // One request at a time, so that a visitor's events arrive in their order.
  function drain() {
    timer = 0;
    if (document.prerendering || queue.some((event) => event.flying)) return;
    if (isHandingOver()) return pause(HANDOVER);
    const load = nextLoad();
    if (!load.length) return;
    if (keyOf(load[0])) fly(load);
    else retry('no ochnkey on this page');
  }

  // What goes together: of one key, oldest first, as much as one request may carry.
  function nextLoad() {
    const load = [];
    let room = MAX_AIRBORNE - airborne;
    for (const event of waiting()) {
      const [first] = load;
      room -= event.body.length + ADDRESS;
      const apart = alone || event.extra || room < 0 || load.length === MAX_BATCH;
      if (first && (apart || first.extra || keyOf(event) !== keyOf(first))) break;
      load.push(event);
    }
    return load.some((event) => !event.flying) ? load : [];
  }

  // Who has no name yet is introduced first: pages that never call init, too, and once more in the leave of a page whose
  // init has had no answer (by its eid the collector knows it again). A lead needs no name.
  function waiting() {
    const ready = (event) => !event.held && !event.flying;
    if (!mayTrack()) return queue.filter((event) => ready(event) && event.path === 'register');
    if (!visitor.kind) visitor = readVisitor(); // another tab may have had the answer
    queue.filter((event) => event.path === 'init' && !event.flying && isKnown(keyOf(event), event.mail)).forEach(forget);
    const events = queue.filter(ready);
    if (visitor.kind || !events.length) return events;
    let first = queue.find((event) => event.path === 'init');
    if (!first) {
      if (refused) return [];
      enqueue(first = introduction(''));
    }
    return [first, ...events.filter((event) => event !== first)];
  }

  function keyOf(event) {
    const key = /^appkey=([^&]*)/.exec(event.body);
    return key ? decodeURIComponent(key[1]) : appKey();
  }

  // -> whether it is on its way: at leave a load may be too heavy; its copy waits for the next page.
  function fly(load, leaving) {
    const [first] = load;
    let named = true; // past an init, the visitor is whom the collector answers it with
    const events = load.map((event) => {
      const form = addressed(event, named);
      named = named && event.path !== 'init';
      return { call: event.path, form };
    });
    const body = load[1] ? JSON.stringify({ appkey: keyOf(first), events }) : events[0].form;
    if (leaving && airborne + body.length > MAX_AIRBORNE) return false;
    load.forEach((event) => {
      event.flying = true;
      note('sent', sketch(event));
    });
    lease(LEASE);
    post(load[1] ? 'batch' : first.path, body, leaving).then((reply) => {
      load.forEach((event) => { event.flying = false; });
      land(load, reply);
    }).catch((e) => note('failed', e));
    return true;
  }

  function addressed(event, named) {
    let last = pair('sentAt', Date.now());
    if (!event.body.startsWith('appkey=')) last += pair('appkey', appKey());
    if (event.path !== 'init') {
      if (named && visitor.kind) {
        last += pair('uid', visitor.id) + pair('uType', visitor.kind); // named so on the wire also when it is a pid
      }
    } else if (visitor.id && !(visitor.kind === 'c' && event.mail && event.mail !== visitor.mail)) {
      last += pair('pid', visitor.id); // unless another person signs in here: those two are not one visitor
    }
    return event.body + event.extra + last;
  }

  // -> {status, body, wait?, verdict?}; status 0 when nothing is known of what became of it. Never rejects.
  function post(path, body, leaving) {
    const url = urlOf(path);
    const kind = path === 'batch' ? 'text/plain;charset=UTF-8' : 'application/x-www-form-urlencoded';
    const keepalive = airborne + body.length <= MAX_AIRBORNE;
    const weight = keepalive ? body.length : 0;
    airborne += weight;
    let deadline = 0;
    let reply;
    try {
      const abort = new AbortController();
      deadline = later(() => abort.abort(), 2e4 + body.length / 20); // a slow line still makes 20 KB/s
      reply = Promise.resolve(fetch(url, {
        method: 'POST', body, keepalive, headers: { 'Content-Type': kind }, signal: abort.signal,
        credentials: options.credentials ? 'include' : 'same-origin',
      })).then(readReply);
    } catch (e) { // fetch is missing, or the page has replaced it by one that throws
      reply = leaving ? beacon(url, body) : request(url, body, kind);
    }
    return reply.catch(() => ({ status: 0, body: {} })).then((outcome) => {
      clearTimeout(deadline);
      airborne -= weight;
      return outcome;
    });
  }

  function readReply(response) {
    const { status, headers } = response;
    const wait = waitOf(headers.get('Retry-After'));
    const verdict = headers.get('X-Event-Status');
    return response.json().catch(() => null).then((body) => ({ status, wait, verdict, body: body || {} }));
  }

  // At leave, and silent about the outcome: the copy stays.
  function beacon(url, body) {
    return new Promise((resolve, fail) => {
      navigator.sendBeacon(url, body[0] === '{' ? body : new URLSearchParams(body));
      fail();
    });
  }

  function request(url, body, kind) {
    return new Promise((resolve) => {
      const xhr = new XMLHttpRequest();
      xhr.open('POST', url);
      xhr.setRequestHeader('Content-Type', kind);
      xhr.withCredentials = !!options.credentials;
      xhr.timeout = 2e4 + body.length / 20;
      xhr.onloadend = () => {
        resolve({ status: xhr.status, body: attempt(() => JSON.parse(xhr.responseText)) || {} });
      };
      xhr.send(body);
    });
  }

  // Retry-After in ms, from seconds or a date; an hour at most.
  function waitOf(header) {
    const ms = isNaN(header) ? Date.parse(header) - Date.now() : header * 1000;
    return Math.min(Math.max(ms, 0) || 0, 36e5);
  }

  // --- Answered --------------------------------------------------------------------------------------------------

  let sent = 0;

  function land(load, reply) {
    const batch = load[1];
    if (batch && judge(load[0], reply) === 'drop') {
      alone = true; // so that only what is refused is dropped
      return drain();
    }
    const results = (batch && reply.body.results) || [];
    const replyTo = (at) => {
      const body = results[at] || { status: 'retry' };
      const verdict = body.status + (body.reason ? '; reason=' + body.reason : '');
      return { status: body.status === 'retry' ? 503 : 200, body, verdict };
    };
    const again = load.filter((event, at) => queue.includes(event) && !settled(event, batch ? replyTo(at) : reply));
    if (again[0]) retry('the collector answered ' + reply.status, reply.wait);
    else drain();
  }

  // -> false: it is to be sent again.
  function settled(event, reply) {
    const verdict = judge(event, reply);
    if (verdict === 'done') arrived(event, reply);
    if (verdict === 'lighten') {
      event.extra = ''; // the lead is never lost for its file
      keep(event);
    }
    if (verdict === 'drop') {
      refused = refused || event.path === 'init';
      drop(event, reply.body.message || 'the collector answered ' + reply.status);
    }
    return verdict !== 'retry';
  }

  function judge(event, { status, body }) {
    if (status >= 200 && status < 300) return event.path !== 'init' || body.pid || body.uid ? 'done' : 'retry';
    if (status === 413 && event.extra) return 'lighten';
    return /^(0|408|425|429|5..)$/.test(status) ? 'retry' : 'drop';
  }

  function arrived(event, reply) {
    failures = 0;
    sent++;
    forget(event);
    note('accepted', Object.assign(sketch(event), { verdict: reply.verdict, warnings: reply.body.warnings }));
    if (event.settle) event.settle({ status: 'ok', message: 'registered' });
    if (event.path === 'init') {
      meet(event, reply.body);
      introduced();
    }
  }

  function retry(reason, wait) {
    if (failures && timer) return; // one of several in flight: the pause has begun
    failures++;
    const ms = wait ? wait + Math.random() * 1000 : pauseAfter(failures);
    note('again in ' + Math.round(ms / 1000) + ' s: ' + reason);
    pause(ms);
  }

  // Full jitter above a floor, in ms: a hiccup is over within the second; the first minutes of an outage cost a tab one
  // request in about nine seconds, and its end is noticed within ten; a long one is asked after every few minutes.
  function pauseAfter(count) {
    if (count < 2) return Math.random() * 1000;
    const most = Math.min(3e5, 1e4 * 2 ** Math.max(0, count - 12));
    return 8600 + Math.random() * (most - 8600);
  }

  function sketch({ path, eid, body }) {
    return { path, eid, body };
  }

  // --- Who the visitor is ----------------------------------------------------------------------------------------

  let visitor = readVisitor();

  function readVisitor() {
    const kept = attempt(() => JSON.parse(disk.get('ochn:id') || 0));
    if (kept && kept.id) return kept;
    const id = cookie(COOKIE) || (options.oldCookie && cookie(options.oldCookie)); // the one of the script before us
    return id ? { id } : {}; // its kind is for init to learn
  }

  // The collector has named this visitor within the day: another init would tell it nothing.
  function isKnown(key, mail) {
    const fresh = visitor.kind && Math.abs(Date.now() - visitor.at) < DAY;
    return fresh && visitor.key === key && (!mail || mail === visitor.mail);
  }

  function meet(event, { pid, uid }) {
    const id = String(uid || pid);
    const mail = event.mail || (visitor.id === id && visitor.mail) || '';
    visitor = { id, mail, kind: uid ? 'c' : 'p', key: keyOf(event), at: Date.now() };
    disk.set('ochn:id', JSON.stringify(visitor));
    setCookie(id, 34560000);
  }

  function setCookie(id, seconds) {
    const secure = location.protocol === 'https:' ? ';secure' : '';
    const text = COOKIE + '=' + encode(id) + ';path=/;max-age=' + seconds + ';samesite=lax' + secure;
    attempt(() => { document.cookie = text; });
  }

  // 32 bits: tells whether it is the same e-mail as before without keeping it.
  function hash(email) {
    let bits = 0;
    for (const letter of plain(email)) bits = (bits * 31 + letter.codePointAt(0)) >>> 0;
    return bits ? bits.toString(36) : '';
  }

  function plain(email) {
    return String(email || '').trim().toLowerCase();
  }

  function remember(lead) {
    if (!lead.userEmail) return;
    const fields = {};
    Object.keys(lead).filter((name) => !/pass/i.test(name)).forEach((name) => {
      const value = lead[name];
      if (/^(string|number|boolean)$/.test(typeof value) && String(value).length < 1000) fields[name] = value;
    });
    const others = recall().filter((one) => plain(one.fields.userEmail) !== plain(fields.userEmail));
    disk.set('ochn:leads', JSON.stringify([{ at: Date.now(), fields }, ...others].slice(0, 5)));
  }

  function recall() {
    const fresh = (one) => one.fields && Date.now() - one.at < 180 * DAY;
    return attempt(() => JSON.parse(disk.get('ochn:leads')).filter(fresh)) || [];
  }

  // --- Leaving, and coming back ----------------------------------------------------------------------------------

  let headedHere = 0; // when the page last set out for another of the same origin
  let gone = false;

  // The next page of this site finds the events and sends them once; sending them from here as well could only double
  // them. A form may be redirected anywhere (to a bank), so before it everything is sent.
  function onNavigate(event) {
    const { destination } = event;
    if (destination.sameDocument || event.downloadRequest != null) return;
    headedHere = !event.formData && new URL(destination.url).origin === location.origin && Date.now();
    if (!headedHere) leave(); // now, while its answer may still be heard
  }

  // Now the next page is certain, also after a redirect, and by the browser's own buttons and its address bar; it is
  // told of where it is of the same origin.
  function onPageSwap({ activation }) {
    headedHere = activation && Date.now();
  }

  function isHandingOver() {
    return Date.now() - headedHere < HANDOVER;
  }

  // Hidden may be the last that a page ever hears. What is in flight keeps its copy until it is answered.
  function leave() {
    if (isHandingOver() || failures || document.prerendering) return;
    let load;
    do load = nextLoad(); while (load.length && keyOf(load[0]) && fly(load, true) && alone);
  }

  function onPageHide() {
    leave();
    gone = true;
    mine.forEach((one) => disk.remove(TAB + one)); // whoever comes next may have them at once
    leasedUntil = 0;
  }

  // Out of the back/forward cache: a visit like any other, in a tab that others may have taken the events of.
  function onPageShow(event) {
    gone = false;
    headedHere = 0;
    if (!event.persisted) return;
    const busy = queue.filter((one) => !one.stored || one.held || (one.flying && disk.get(QUEUE + one.eid)));
    busy.forEach((one) => { one.flying = false; }); // Firefox never tells what became of a request of a page it froze
    queue.splice(0, queue.length, ...busy);
    tab = newName();
    mine.clear();
    [tab, ...busy.map((one) => ownerOf(one.eid))].forEach((one) => mine.add(one));
    ask();
    track();
    pause(500); // whatever it was waiting for when it left: Chromium tells about now
  }

  function onOnline() {
    failures = 0;
    pause(0);
  }

  function onStorage({ key, newValue }) {
    if (!key) return others.clear();
    if (key.startsWith(QUEUE)) observe(key.slice(QUEUE.length), newValue);
    if (key.startsWith(TAB) && !newValue) later(ask, Math.random() * 500); // it closed; not all tabs at once
  }

  // --- Started ---------------------------------------------------------------------------------------------------

  // For what the browser or the page calls: nothing comes out of it but its answer.
  function safely(call) {
    return (...given) => {
      try {
        return call(...given);
      } catch (e) {
        note('failed', e);
        return answer('error', 'failed');
      }
    };
  }

  function later(call, ms) {
    return setTimeout(safely(call), ms);
  }

  function listen(target, name, call) {
    target.addEventListener(name, safely(call));
  }

  const EXTRAS = /^(spa|links|downloads|forms|scroll|engaged|fai|vitals)$/;

  // What watches the page by itself is a file of its own, for the pages that ask for it. Under a policy that would stop
  // this, the page names it in a tag of its own.
  function equip() {
    if (window.ochnExtras) window.ochnExtras(options);
    if (!Object.keys(options).some((name) => EXTRAS.test(name) && options[name])) return;
    if (document.querySelector('script[src*="/omnichannel-extras."]')) return;
    const script = document.createElement('script');
    script.src = urlOf('omnichannel-extras.js');
    document.head.append(script);
  }

  let tracked = early.some((call) => call[0] === 'init'); // the page has run ochntrack already, against its stub

  function track() {
    const run = attempt(() => ochntrack);
    if (typeof run !== 'function') return;
    tracked = true;
    new Promise((done) => done(run())).catch((e) => note('ochntrack failed', e));
  }

  function trackOnce() {
    if (!tracked) track();
  }

  // What the page waits for. What has been called is stored by the end of it, and leaves with the page.
  function start() {
    later(attend, 0); // the oldest first, before anything new is sent
    timer = -1; // it is the next attempt
    early.forEach(([name, ...given]) => attempt(() => calls[name](...given)));
    trackOnce();
    if (!tracked) { // declared further down the page
      listen(window, 'DOMContentLoaded', trackOnce);
      listen(window, 'load', trackOnce);
    }
    listen(window, 'pagehide', onPageHide);
  }

  // What it need not wait for. To hear of storage costs as much as to open it: Chromium then opens both of a page's.
  function attend() {
    ask();
    listen(window, 'online', onOnline);
    listen(window, 'storage', onStorage);
    listen(window, 'pageswap', onPageSwap);
    listen(window, 'pageshow', onPageShow);
    listen(document, 'visibilitychange', () => document.hidden && leave());
    attempt(() => listen(navigation, 'navigate', onNavigate)); // not every browser has one
    pause(0);
  }

  const calls = {
    init: safely(init), send: safely(send), register: safely(register), prepopulate: safely(prepopulate),
    config: safely(config), version: '0.2.0',
    state: () => ({ visitor: visitor.id, kind: visitor.kind, queued: queue.length, sent, dropped, failures }),
  };
  window.ochn = calls;

  if (document.prerendering) listen(document, 'prerenderingchange', start);
  else safely(start)();
})();
