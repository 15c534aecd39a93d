/*
 * omnichannel-extras.js: watches the page by itself, for pages that ask for it. omnichannel.js loads it then.
 *
 * Each part is off until ochn.config({links: true}) or a data-links attribute of the script's tag asks for it. What it
 * sees it tells by ochn.send, so it is kept, sent and gated by consent like anything else. Nothing here reads what
 * stands in a form, tells a link's query, patches the page's functions or stops an event.
 *
 *   spa        a visit, when the path has changed without a load and stayed for a second; none if the page sends its own
 *   links      engagement "links: https://partner.example/shoes": to another host
 *   downloads  engagement "downloads: https://shop.example/price-list.pdf"
 *   forms      engagement "forms: newsletter": submitted; its id, name or action
 *   fai        engagement "fai: <fai-key>": a click on what carries one; with data-fai-search-tag as searchTag
 *   scroll     engagement "scroll: 75 %": how far down the page was seen, told when it is left or hidden
 *   engaged    engagement "engaged: 42 s": visible, and in use within the last half minute; told likewise
 *   vitals     engagement "vitals: LCP 1200 ms, INP 80 ms, CLS 0.02": once, when the page is first left or hidden
 */
(function () {
  'use strict';

  if (window.ochnExtras) return; // loaded twice

  const SETTLED = 1000; // ms that a path must stay to be a visit
  const AT_ONCE = 100; // ms before a change of path in which a visit is meant for the new one
  const IDLE = 3e4; // ms without a key, a pointer or a scroll after which nobody is reading
  const FILES = /\.(pdf|docx?|xlsx?|pptx?|od[tsp]|rtf|csv|txt|epub|zip|rar|7z|t?gz|iso|exe|msi|dmg|pkg|apk|mp[34]|wav|mov|avi|mkv)$/i;

  const installed = {};
  const farewells = []; // called when the page is left or hidden, and when its path changes
  let options = {};
  let place = placeNow(); // the path that everything seen so far belongs to

  // --- What all parts share --------------------------------------------------------------------------------------

  function safely(call) {
    return (...given) => {
      try { return call(...given); } catch (e) { /* the page never hears of it */ }
    };
  }

  function listen(target, name, call) {
    target.addEventListener(name, safely(call), { capture: true, passive: true });
  }

  function tell(kind, words, details) {
    if (options[kind]) ochn.send('action', 'engagement', Object.assign({ description: kind + ': ' + words, kind }, details));
  }

  function farewell() {
    farewells.forEach((call) => safely(call)());
  }

  // Of a hash only what routers write into it: "#/cart", not "#reviews".
  function placeNow() {
    return location.pathname + location.search + (/^#[!/]/.test(location.hash) ? location.hash : '');
  }

  function onClick(selector, call) {
    ['click', 'auxclick'].forEach((name) => listen(document, name, (event) => {
      const found = event.composedPath().find((node) => node.matches && node.matches(selector));
      if (found && event.button < 2) call(found);
    }));
  }

  // -> {url, file}: without query and hash, which may hold what is nobody's business.
  function targetOf(link) {
    const { protocol, host, origin, pathname } = new URL(link.href.baseVal || link.href, document.baseURI);
    if (!/^https?:$/.test(protocol)) return {};
    return { url: origin + pathname, away: host !== location.host, file: link.hasAttribute('download') || FILES.test(pathname) };
  }

  // --- Pages without a load --------------------------------------------------------------------------------------

  function spa() {
    let due = 0; // the timer of a visit that may still be the page's own
    let visited = 0; // when the page itself last sent one
    const send = ochn.send;
    const cancel = () => {
      clearTimeout(due);
      due = 0;
    };
    const visit = () => {
      if (due && options.spa) send('action', 'visit');
      cancel();
    };
    ochn.send = (...given) => {
      if (given[1] === 'visit') {
        visited = Date.now();
        cancel();
      }
      return send(...given);
    };
    const look = () => {
      if (placeNow() === place) return;
      cancel();
      farewell();
      place = placeNow();
      if (Date.now() - visited > AT_ONCE) due = setTimeout(safely(visit), SETTLED);
    };
    farewells.push(visit);
    if (window.navigation) listen(window.navigation, 'currententrychange', look);
    else setInterval(safely(look), 250);
  }

  // --- Clicks and forms ------------------------------------------------------------------------------------------

  function links() {
    onClick('a[href]', (link) => {
      const { url, away, file } = targetOf(link);
      if (away && !(file && options.downloads)) tell('links', url, { url });
    });
  }

  function downloads() {
    onClick('a[href]', (link) => {
      const { url, file } = targetOf(link);
      if (file) tell('downloads', url, { url });
    });
  }

  function forms() {
    listen(document, 'submit', ({ target }) => {
      const given = (name) => target.getAttribute(name); // target.id may be the form's own field of that name
      tell('forms', given('id') || given('name') || new URL(given('action') || '', location.href).pathname);
    });
  }

  function fai() {
    onClick('[fai-key]', (node) => {
      const key = node.getAttribute('fai-key');
      tell('fai', key, { key, searchTag: node.getAttribute('data-fai-search-tag') });
    });
  }

  // --- How much of the page, and for how long --------------------------------------------------------------------

  function scroll() {
    let deepest = 0;
    let told = 0;
    let timer = 0;
    const measure = () => {
      timer = 0;
      const seen = (100 * (scrollY + innerHeight)) / document.documentElement.scrollHeight;
      deepest = Math.max(deepest, Math.min(100, Math.round(seen)));
    };
    listen(window, 'scroll', () => { timer = timer || setTimeout(safely(measure), 200); });
    farewells.push(() => {
      if (timer || !deepest) measure();
      if (deepest > told) tell('scroll', deepest + ' %', { percent: deepest, path: place });
      told = placeNow() === place ? deepest : 0;
      deepest = told;
    });
  }

  function engaged() {
    let seconds = 0;
    let active = Date.now();
    ['pointerdown', 'pointermove', 'keydown', 'scroll', 'touchstart'].forEach((name) => {
      listen(window, name, () => { active = Date.now(); });
    });
    setInterval(() => {
      if (!document.hidden && Date.now() - active < IDLE) seconds++;
    }, 1000);
    farewells.push(() => {
      if (seconds) tell('engaged', seconds + ' s', { seconds, path: place });
      seconds = 0;
    });
  }

  // --- How the page felt (web.dev/vitals; times in ms) -----------------------------------------------------------

  function vitals() {
    const { activationStart = 0, responseStart = 0 } = performance.getEntriesByType('navigation')[0] || {};
    const since = (time) => Math.max(0, Math.round(time - activationStart)); // a prerendered page begins when it is seen
    const found = { ttfb: since(responseStart) };
    const observe = (type, call, how) => safely(() => {
      const observer = new PerformanceObserver((list) => list.getEntries().forEach(call));
      observer.observe(Object.assign({ type, buffered: true }, how));
    })();
    observe('paint', ({ name, startTime }) => { if (/contentful/.test(name)) found.fcp = since(startTime); });
    observe('largest-contentful-paint', ({ startTime }) => { found.lcp = since(startTime); });

    let first = 0; // shifts less than a second apart, within five, are one burst; the worst burst counts
    let last = 0;
    let burst = 0;
    observe('layout-shift', ({ startTime, value, hadRecentInput }) => {
      if (hadRecentInput) return;
      const over = startTime - last > 1000 || startTime - first > 5000;
      if (over) first = startTime;
      burst = over ? value : burst + value;
      last = startTime;
      found.cls = Math.max(found.cls || 0, Math.round(burst * 1e4) / 1e4);
    });

    const waits = new Map(); // an interaction's longest event; the slowest ten
    observe('event', ({ interactionId, duration }) => {
      if (!interactionId) return;
      waits.set(interactionId, Math.max(duration, waits.get(interactionId) || 0));
      const slowest = [...waits].sort((a, b) => b[1] - a[1]);
      slowest.slice(10).forEach(([id]) => waits.delete(id));
      const skipped = Math.floor((performance.interactionCount || 0) / 50); // one outlier in fifty is forgiven
      found.inp = Math.round(slowest[Math.min(skipped, slowest.length - 1)][1]);
    }, { durationThreshold: 16 });

    const wasHidden = document.hidden; // then its times are those of a tab that nobody looked at
    let told = false;
    farewells.push(() => {
      const { lcp, inp, cls } = found;
      if (told || wasHidden || lcp === undefined) return;
      told = true;
      const words = ['LCP ' + lcp + ' ms', inp !== undefined && 'INP ' + inp + ' ms', cls !== undefined && 'CLS ' + cls];
      tell('vitals', words.filter(Boolean).join(', '), found);
    });
  }

  // --- Started ---------------------------------------------------------------------------------------------------

  const PARTS = { spa, links, downloads, forms, fai, scroll, engaged, vitals };

  window.ochnExtras = (wanted) => {
    options = wanted;
    Object.keys(PARTS).filter((name) => wanted[name] && !installed[name]).forEach((name) => {
      installed[name] = true;
      safely(PARTS[name])();
    });
  };

  listen(window, 'pagehide', farewell);
  listen(document, 'visibilitychange', () => document.hidden && farewell());
  if (window.ochn && ochn.version) ochnExtras(ochn.config());
})();
