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
 *   ochn.state()       {visitor, kind, queued, sent, dropped}
 * All but state() give a promise that already carries its answer, {status, message}: pages read it with and without
 * await. Calls made before this script is there may wait as [name, ...arguments] in window.ochn = {q: []}.
 *
 * What stays in the browser (localStorage; in memory where that is blocked):
 *   ochn:q:<n>       one event until the collector has it: path, line feed, form. <n> is its id (eid): the time in
 *                    base 36, then the tab's name. At most 1,000 events and 512 KiB a tab; the oldest goes first
 *   ochn:tab:<t>     until when (ms) tab <t> looks after its events; past that, another tab takes them over
 *   ochn:id          the visitor as the collector named it: {id, kind: "p" or "c", key, mail: a hash, at}
 *   ochn:leads       what was registered here, for prepopulate: five leads, 180 days, no files, no passwords
 *   cookie ochn_vid  the visitor's id, 400 days
 *
 * On the wire: POST <base>/jsapi/init, /send or /register; a form, and no header that asks for a preflight.
 */
(function () {
  'use strict';

  if (window.ochn && window.ochn.version) return; // loaded twice
  const early = (window.ochn && window.ochn.q) || [];

  const QUEUE = 'ochn:q:';
  const TAB = 'ochn:tab:';
  const DAY = 864e5; // ms
  const LEASE = 3e4; // ms that a tab's word for its events is good
  const HANDOVER = 5e3; // ms that a page leaves its events to the next page of the same site
  const MAX_EVENTS = 1000; // a tab
  const MAX_KEPT = 512 * 1024; // characters in localStorage, a tab
  const MAX_KEPT_FILES = 128 * 1024; // characters of one lead
  const MAX_AIRBORNE = 6e4; // bytes; browsers refuse keepalive past 64 KiB in flight
  const MAX_FIELDS = 6e4; // characters of one event, its files apart
  const FIELD_COST = 64; // counted on top for each field: so no event has 1,000, the collector's limit
  const MAX_VALUE = 5400; // characters: 16 KiB at three bytes each, the collector's limit
  const MAX_NAME = 256; // bytes, the collector's limit
  const MAX_FILE = 5 * 1024 * 1024; // bytes: as base64 still within the collector's limit for a lead

  // --- What the page declares ------------------------------------------------------------------------------------

  // A bare name reaches let and const, which are no properties of window. In their dead zone even typeof throws.
  function appKey() {
    try { return String(ochnkey || ''); } catch (e) { return ''; }
  }

  function note(what, detail) {
    try {
      if (typeof enableLogging === 'function') enableLogging(what, detail);
      else if (enableLogging) console.log('ochn: ' + what, detail === undefined ? '' : detail);
    } catch (e) { /* not declared, or the page's own logger threw */ }
  }

  // Events go where this script came from: under an alias path, to the root of that origin.
  const base = (() => {
    const own = [document.currentScript, document.getElementById('omnichanneltrack')];
    const from = (scripts, pattern) => scripts.map((script) => script && pattern.exec(script.src)).find(Boolean);
    const found = from([...own, ...document.scripts], /^(.*)\/jsapi\/omnichannel[^/]*\.js([?#]|$)/)
      || from(own, /^(https?:\/\/[^/]+)\//);
    return found ? found[1] : '';
  })();

  // --- Called ----------------------------------------------------------------------------------------------------

  let spoken = false; // the page has sent more than init

  function init(email) {
    email = email ? String(email).trim() : '';
    const mail = hash(email);
    if (isKnown(appKey(), mail)) return introduced();
    if (!queue.some((event) => event.path === 'init' && event.mail === mail)) enqueue(introduction(email));
    return answer('ok', 'init is on its way');
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

  // Pages pass a second argument, as the vendor's script takes one; every lead is kept and delivered without it.
  function register(lead) {
    if (!lead || typeof lead !== 'object') return answer('error', 'register takes an object: the lead');
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
    remember(lead);
    return answer('ok', 'on its way', settled);
  }

  // From this browser's memory alone: nobody is shown a stranger's data for typing the stranger's e-mail.
  function prepopulate(person) {
    const email = plain(person && person.email);
    const lead = email && recall().find((one) => plain(one.fields.userEmail) === email);
    const found = { status: 'ok', message: lead ? 'registered here' : 'not registered here' };
    found.data = lead ? lead.fields : {};
    return Object.assign(Promise.resolve(found), found);
  }

  function answer(status, message, promise) {
    return Object.assign(promise || Promise.resolve({ status, message }), { status, message });
  }

  // --- Made ------------------------------------------------------------------------------------------------------

  let lastTime = 0;

  function make(path) {
    lastTime = Math.max(Date.now(), lastTime + 1); // ids are never the same twice, and sort as the events came
    const event = {
      path, eid: lastTime.toString(36) + tab, mail: '',
      form: new URLSearchParams(), long: new URLSearchParams(), files: [], room: MAX_FIELDS,
      stored: false, held: false, flying: false,
    };
    const key = appKey();
    if (key) event.form.append('appkey', key);
    event.form.append('eid', event.eid);
    event.form.append('ts', Date.now());
    return event;
  }

  // {a: [1, {b: 2}]} -> a[0]=1, a[1][b]=2: as JSON reads it, in PHP's brackets. What a form cannot carry stays behind
  // (functions, nodes, cycles past five levels, indexes past 99), and so does what throws when it is looked at.
  function add(event, name, value, depth = 0) {
    try {
      if (value && typeof value.toJSON === 'function') value = value.toJSON();
      if (value == null || value.nodeType || typeof value === 'function') return;
      event.room -= FIELD_COST + name.length;
      if (event.room < 0 || depth > 5 || name.replace(/[^\0-\x7f]/g, '...').length > MAX_NAME) throw name;
      if (value instanceof Blob) addFile(event, name, value, depth);
      else if (typeof value === 'object') {
        for (const key of Object.keys(value)) {
          if (!/^\d{3,}$/.test(key)) add(event, name + '[' + key + ']', value[key], depth + 1);
        }
      } else addText(event, name, String(value));
    } catch (e) {
      note('left out', name);
    }
  }

  function addText(event, name, text) {
    // A lead's long text is most often a file in base64 already.
    if (text.length > MAX_VALUE && event.path === 'register') event.long.append(name, text);
    else {
      text = text.slice(0, Math.min(MAX_VALUE, event.room));
      event.room -= text.length;
      event.form.append(name, text); // mends lone surrogates, where encodeURIComponent would throw
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
        if (data) event.long.append(name, data);
        done();
      };
      reader.readAsDataURL(file);
    }));
    Promise.all(reads).catch(() => note('left out', 'a file')).then(() => {
      event.held = false;
      event.extra = String(event.long);
      if (queue.includes(event)) keep(event);
      wake();
    });
  }

  function addPage(event) {
    add(event, 'page', { url: location.href, title: document.title, referrer: document.referrer });
    new URLSearchParams(location.search).forEach((value, name) => {
      if (/^utm_./.test(name)) add(event, 'utm[' + name.slice(4) + ']', value);
    });
  }

  function introduction(email) {
    const event = make('init');
    event.mail = hash(email);
    if (email) add(event, 'email', email);
    add(event, 'technicalInfo', {
      screenSize: screen.width + 'x' + screen.height,
      browserUserAgent: navigator.userAgent,
      browserType: agent([
        ['Edge', /Edg/], ['Opera', /OPR/], ['Samsung Internet', /SamsungB/], ['Firefox', /Firefox|FxiOS/],
        ['Chrome', /Chrom|CriOS/], ['Safari', /Safari/],
      ]),
      deviceOs: agent([
        ['Windows', /Windows/], ['Android', /Android/], ['iOS', /iPhone|iPad|iPod/], ['macOS', /Mac OS/],
        ['ChromeOS', /CrOS/], ['Linux', /Linux/],
      ]),
    });
    addPage(event);
    return event;
  }

  function agent(marks) {
    const found = marks.find((mark) => mark[1].test(navigator.userAgent));
    return found && found[0];
  }

  // --- Kept ------------------------------------------------------------------------------------------------------

  const queue = []; // this tab's events, oldest first
  let tab = newName();
  const mine = new Set([tab]); // the tabs whose events those are: this one, and closed ones it took over
  let leasedUntil = 0;
  let dropped = 0;

  // Each access is tried anew: reading window.localStorage itself throws where the browser blocks it.
  const disk = {
    get(key) { try { return localStorage.getItem(key); } catch (e) { return null; } },
    set(key, value) { try { localStorage.setItem(key, value); return true; } catch (e) { return false; } },
    remove(key) { try { localStorage.removeItem(key); } catch (e) { /* blocked: nothing was kept */ } },
    keys() { try { return Object.keys(localStorage); } catch (e) { return []; } },
  };

  function newName() {
    return Array.from(crypto.getRandomValues(new Uint32Array(2)), (part) => part.toString(36)).join('');
  }

  function ownerOf(eid) {
    return eid.slice(8); // the time before it has eight digits until the year 2059
  }

  function enqueue(event) {
    event.body = String(event.form);
    event.extra = String(event.long);
    queue.push(event);
    keep(event);
    trim();
    note('kept', sketch(event));
    wake();
  }

  function keep(event) {
    const withFiles = event.extra && event.extra.length <= MAX_KEPT_FILES;
    const text = withFiles ? event.body + '&' + event.extra : event.body;
    event.size = text.length;
    while (!(event.stored = disk.set(QUEUE + event.eid, event.path + '\n' + text))) {
      // Full: what is sent next can do without its copy. Blocked: there is no copy to give up.
      const next = queue.find((other) => other.stored);
      if (!next) return;
      next.stored = false;
      disk.remove(QUEUE + next.eid);
    }
    lease(LEASE);
  }

  function trim() {
    let size = queue.reduce((sum, event) => sum + event.size, 0);
    while (queue.length > MAX_EVENTS || size > MAX_KEPT) {
      const idle = (event) => !event.flying;
      const oldest = queue.find((event) => idle(event) && event.path === 'send') || queue.find(idle); // leads go last
      if (!oldest) return;
      size -= oldest.size;
      drop(oldest, 'too many events are waiting');
    }
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
    disk.remove(QUEUE + event.eid);
  }

  // Tells other tabs that these events are looked after. Written again only when the last word has got old.
  function lease(ms) {
    const until = Date.now() + ms;
    if (gone || !queue.length || Math.abs(until - leasedUntil) < 5e3) return;
    leasedUntil = until;
    mine.forEach((one) => disk.set(TAB + one, until));
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
      if (!mine.has(owner) && alive.has(owner)) again = Math.min(again, alive.get(owner) - now);
      else if (!here.has(eid)) restore(key, eid, owner);
    });
    queue.sort((a, b) => (a.eid < b.eid ? -1 : 1));
    leasedUntil = 0;
    lease(LEASE);
    if (again < Infinity) later(adopt, again + Math.random() * 1000);
    if (queue.length) wake();
  }

  function restore(key, eid, owner) {
    const [path, body] = (disk.get(key) || '').split('\n');
    if (!body) return disk.remove(key);
    const mail = path === 'init' ? hash(new URLSearchParams(body).get('email')) : '';
    mine.add(owner);
    queue.push({ path, eid, mail, body, extra: '', size: body.length, stored: true, held: false, flying: false });
  }

  // --- Sent ------------------------------------------------------------------------------------------------------

  let timer = 0; // the next attempt: due at once, or after a pause
  let failures = 0; // in a row
  let refused = false; // an init was: only the page may ask again
  let airborne = 0; // bytes of keepalive bodies in flight

  // In a task of its own: the caller is done at once, a key in its dead zone gets its value, a navigation has begun.
  function wake() {
    if (gone) leave(); // called by the page's own pagehide
    else timer = timer || later(drain, 0);
  }

  function pause(ms) {
    clearTimeout(timer);
    timer = later(drain, ms);
    lease(ms + LEASE);
  }

  // One at a time, so that a visitor's events arrive in their order.
  function drain() {
    timer = 0;
    if (document.prerendering || queue.some((event) => event.flying)) return;
    if (isHandingOver()) return pause(HANDOVER);
    const event = next();
    if (!event) return;
    if (hasKey(event)) fly(event);
    else retry('there is no ochnkey on this page');
  }

  // Everything but init needs the visitor's id. Pages that never call init are introduced when they first send.
  function next() {
    if (!visitor.kind) visitor = readVisitor(); // another tab may have had the answer
    const ready = (one) => !one.held;
    const event = queue.find((one) => ready(one) && (visitor.kind || one.path === 'init'));
    if (event && event.path === 'init' && isKnown(keyOf(event), event.mail)) {
      forget(event);
      return next();
    }
    if (event || refused || !queue.some(ready)) return event;
    enqueue(introduction(''));
    return next();
  }

  function keyOf(event) {
    return new URLSearchParams(event.body).get('appkey') || appKey();
  }

  function hasKey(event) {
    return event.body.startsWith('appkey=') || appKey();
  }

  function fly(event, leaving) {
    const body = addressed(event);
    if (leaving && airborne + body.length > MAX_AIRBORNE) return; // its copy waits for the next page
    event.flying = true;
    note('sent', sketch(event));
    lease(LEASE);
    post(event.path, body, leaving).then((reply) => {
      event.flying = false;
      land(event, reply);
    }).catch((e) => note('failed', e));
  }

  function addressed(event) {
    const last = new URLSearchParams({ sentAt: Date.now() });
    if (!event.body.startsWith('appkey=')) last.append('appkey', appKey());
    if (event.path !== 'init') {
      last.append('uid', visitor.id); // named so on the wire also when it is a pid
      last.append('uType', visitor.kind);
    } else if (visitor.id && !(visitor.kind === 'c' && event.mail && event.mail !== visitor.mail)) {
      last.append('pid', visitor.id); // unless another person signs in here: those two are not one visitor
    }
    return event.body + (event.extra && '&' + event.extra) + '&' + last;
  }

  // -> {status, body, wait?, verdict?}; status 0 when nothing is known of what became of it. Never rejects.
  function post(path, body, leaving) {
    const url = base + '/jsapi/' + path;
    const keepalive = airborne + body.length <= MAX_AIRBORNE;
    const weight = keepalive ? body.length : 0;
    airborne += weight;
    let deadline = 0;
    let reply;
    try {
      const abort = new AbortController();
      deadline = setTimeout(() => abort.abort(), 2e4 + body.length / 20); // a slow line still makes 20 KB/s
      reply = Promise.resolve(fetch(url, {
        method: 'POST', body, keepalive, signal: abort.signal,
        headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
      })).then(readReply);
    } catch (e) { // fetch is missing, or the page has replaced it by one that throws
      reply = leaving ? beacon(url, body) : request(url, body);
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
    return new Promise((resolve) => {
      navigator.sendBeacon(url, new URLSearchParams(body));
      resolve({ status: 0, body: {} });
    });
  }

  function request(url, body) {
    return new Promise((resolve) => {
      const xhr = new XMLHttpRequest();
      xhr.open('POST', url);
      xhr.setRequestHeader('Content-Type', 'application/x-www-form-urlencoded');
      xhr.timeout = 2e4 + body.length / 20;
      xhr.onloadend = () => {
        let answered = null;
        try { answered = JSON.parse(xhr.responseText); } catch (e) { /* no answer, or not the collector's */ }
        resolve({ status: xhr.status, body: answered || {} });
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

  function land(event, reply) {
    const verdict = judge(event, reply);
    if (verdict === 'done') arrived(event, reply);
    else if (!queue.includes(event)) return;
    else if (verdict === 'retry') return retry('the collector answered ' + reply.status, reply.wait);
    else if (verdict === 'lighten') {
      event.extra = ''; // the lead is never lost for its file
      keep(event);
    } else {
      refused = refused || event.path === 'init';
      drop(event, reply.body.message || 'the collector answered ' + reply.status);
    }
    drain();
  }

  function judge(event, { status, body }) {
    if (status >= 200 && status < 300) return event.path !== 'init' || body.pid || body.uid ? 'done' : 'retry';
    if (status === 413 && event.extra) return 'lighten';
    return status === 0 || status === 408 || status === 425 || status === 429 || status >= 500 ? 'retry' : 'drop';
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
    note('trying again in ' + Math.round(ms / 1000) + ' s: ' + reason);
    pause(ms);
  }

  // Full jitter above a floor, in ms: a hiccup is over within the second; the first minutes of an outage cost a tab one
  // request in about nine seconds, and its end is noticed within ten; a long one is asked after every few minutes.
  function pauseAfter(count) {
    if (count < 2) return Math.random() * 1000;
    const most = Math.min(3e5, 1e4 * 2 ** Math.max(0, count - 12));
    return 8600 + Math.random() * (most - 8600);
  }

  function sketch(event) {
    return { path: event.path, eid: event.eid, body: event.body };
  }

  // --- Who the visitor is ----------------------------------------------------------------------------------------

  let visitor = readVisitor();

  function readVisitor() {
    try {
      const kept = JSON.parse(disk.get('ochn:id'));
      if (kept && kept.id) return kept;
      const id = /(?:^|; )ochn_vid=([^;]+)/.exec(document.cookie);
      if (id) return { id: decodeURIComponent(id[1]) }; // its kind is for init to learn
    } catch (e) { /* cookies are blocked, or what stands there is not ours */ }
    return {};
  }

  // The collector has named this visitor within the day: another init would tell it nothing.
  function isKnown(key, mail) {
    const fresh = visitor.kind && Math.abs(Date.now() - visitor.at) < DAY;
    return fresh && visitor.key === key && (!mail || mail === visitor.mail);
  }

  function meet(event, { pid, uid }) {
    const id = String(uid || pid);
    const mail = event.mail || (visitor.id === id && visitor.mail) || '';
    visitor = { id, kind: uid ? 'c' : 'p', key: keyOf(event), mail, at: Date.now() };
    disk.set('ochn:id', JSON.stringify(visitor));
    try {
      const secure = location.protocol === 'https:' ? ';secure' : '';
      document.cookie = 'ochn_vid=' + encodeURIComponent(id) + ';path=/;max-age=34560000;samesite=lax' + secure;
    } catch (e) { /* cookies are blocked */ }
  }

  // 32 bits: tells whether it is the same e-mail as before without keeping it.
  function hash(email) {
    let bits = 0;
    for (const letter of plain(email)) bits = (Math.imul(bits, 31) + letter.codePointAt(0)) >>> 0;
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
    try {
      return JSON.parse(disk.get('ochn:leads')).filter((one) => one.fields && Date.now() - one.at < 180 * DAY);
    } catch (e) {
      return [];
    }
  }

  // --- Leaving, and coming back ----------------------------------------------------------------------------------

  let headedHere = 0; // when the page last set out for another of the same origin
  let gone = false;

  // The next page of this site finds the events and sends them once; sending them from here as well could only double
  // them. A form may be redirected anywhere (to a bank), so before it everything is sent.
  function onNavigate(event) {
    const { destination } = event;
    if (destination.sameDocument || event.downloadRequest != null) return;
    headedHere = !event.formData && new URL(destination.url).origin === location.origin ? Date.now() : 0;
  }

  function isHandingOver() {
    return Date.now() - headedHere < HANDOVER;
  }

  // Hidden may be the last that a page ever hears. What is in flight keeps its copy until it is answered.
  function leave() {
    if (isHandingOver() || failures || document.prerendering || !visitor.kind) return;
    queue.filter((event) => !event.held && !event.flying && hasKey(event)).forEach((event) => fly(event, true));
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
    const busy = queue.filter((one) => !one.stored || one.flying || one.held);
    queue.splice(0, queue.length, ...busy);
    tab = newName();
    mine.clear();
    [tab, ...busy.map((one) => ownerOf(one.eid))].forEach((one) => mine.add(one));
    adopt();
    track();
    pause(0); // whatever it was waiting for when it left
  }

  function onOnline() {
    failures = 0;
    pause(0);
  }

  function onStorage(event) {
    const closed = event.key && event.key.startsWith(TAB) && !event.newValue;
    if (closed) later(adopt, Math.random() * 500); // not all tabs at once
  }

  // --- Started ---------------------------------------------------------------------------------------------------

  // For what the browser or the page calls: nothing comes out of it but its answer.
  function safely(call) {
    return (...given) => {
      try {
        return call(...given);
      } catch (e) {
        note('failed', e);
        return answer('error', 'failed: enableLogging tells why');
      }
    };
  }

  function later(call, ms) {
    return setTimeout(safely(call), ms);
  }

  function listen(target, name, call) {
    target.addEventListener(name, safely(call));
  }

  let tracked = early.some((call) => call[0] === 'init'); // the page has run ochntrack already, against its stub

  function track() {
    let run;
    try { run = ochntrack; } catch (e) { /* not declared, or not yet */ }
    if (typeof run !== 'function') return;
    tracked = true;
    const failed = (e) => note('ochntrack failed', e);
    try { Promise.resolve(run()).catch(failed); } catch (e) { failed(e); }
  }

  function trackOnce() {
    if (!tracked) track();
  }

  function start() {
    later(adopt, 0); // the oldest first, before anything new is sent
    early.forEach((call) => calls[call[0]] && calls[call[0]](...[].slice.call(call, 1)));
    trackOnce();
    listen(window, 'DOMContentLoaded', trackOnce); // declared further down the page
    listen(window, 'load', trackOnce);
  }

  const calls = {
    init: safely(init), send: safely(send), register: safely(register), prepopulate: safely(prepopulate),
  };
  const state = () => ({ visitor: visitor.id, kind: visitor.kind, queued: queue.length, sent, dropped });
  window.ochn = Object.assign({ version: '0.1.0', state }, calls);

  safely(() => {
    listen(window, 'pagehide', onPageHide);
    listen(window, 'pageshow', onPageShow);
    listen(window, 'online', onOnline);
    listen(window, 'storage', onStorage);
    listen(document, 'visibilitychange', () => document.hidden && leave());
    if (window.navigation) listen(window.navigation, 'navigate', onNavigate);
  })();
  if (document.prerendering) listen(document, 'prerenderingchange', start);
  else safely(start)();
})();
