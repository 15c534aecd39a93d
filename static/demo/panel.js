// The panel: what omnichannel.js says of each event through enableLogging, which may be a function.
var enableLogging = (function () {
  'use strict';

  const STATES = { kept: 'kept', sent: 'sending', accepted: 'delivered' };
  const rows = new Map(); // an event's id -> its row
  let leftOut = 0; // parts of data that could not be sent
  const find = (id) => document.getElementById(id);

  function log(what, event) {
    if (what === 'left out') leftOut++;
    if (event && event.eid) show(event, what);
    else if (what.startsWith('again')) wait();
    showCounts();
  }

  function wait() {
    find('pulse').dataset.state = 'waiting';
    document.querySelectorAll('.state[data-state=sending]').forEach((state) => { state.textContent = state.dataset.state = 'kept'; });
  }

  function show(event, what) {
    const row = rows.get(event.eid) || addRow(event);
    const state = row.querySelector('.state');
    const quarantined = /^quarantined/.test(event.verdict || '');
    state.textContent = quarantined ? 'quarantined' : STATES[what] || 'dropped';
    state.dataset.state = state.textContent;
    state.title = event.verdict || what;
    if (what === 'accepted') find('pulse').dataset.state = 'live';
  }

  function addRow(event) {
    const fields = new URLSearchParams(event.body);
    const made = find('panel-event').content.cloneNode(true);
    const row = made.querySelector('li');
    const kind = fields.get('actionType') || event.path;
    row.querySelector('.kind').textContent = kind;
    row.querySelector('.kind').dataset.kind = kind;
    row.querySelector('.what').textContent = gist(fields);
    row.querySelector('code').textContent = call(event.path, fields);
    fields.forEach((value, name) => {
      const cells = row.querySelector('table').insertRow();
      cells.insertCell().textContent = name;
      cells.insertCell().textContent = value.length > 120 ? value.slice(0, 120) + '…' : value;
    });
    rows.set(event.eid, row);
    find('panel-events').prepend(made);
    return row;
  }

  // The event's own data in a few words: what stands in aditionalData or the lead, else the e-mail.
  function gist(fields) {
    const own = [...fields].filter(([name]) => /^(aditionalData|lead)\[/.test(name));
    const words = own.map(([name, value]) => (/^aditionalData\[\w+\]\d+$/.test(name + value) ? name.slice(14, -1) + ' ' + value : value));
    return words.join(', ') || fields.get('email') || 'who is this?';
  }

  function call(path, fields) {
    if (path === 'send') return `ochn.send('${fields.get('requestType')}', '${fields.get('actionType')}', …)`;
    return path === 'register' ? 'ochn.register({…})' : `ochn.init(${fields.has('email') ? "'…'" : ''})`;
  }

  // Runs after the script has finished what it is at, so that its counts are those of now.
  function showCounts() {
    setTimeout(() => {
      const { visitor, kind, queued, sent, dropped, failures } = ochn.state();
      Object.entries({ queued, sent, dropped, failures, left: leftOut }).forEach(([name, value]) => {
        const cell = find('panel-' + name);
        cell.textContent = value;
        cell.toggleAttribute('data-trouble', name !== 'sent' && value > 0);
      });
      const waiting = queued ? `${queued} waiting` : `${sent} delivered`;
      find('panel-counts').textContent = dropped ? `${waiting}, ${dropped} dropped` : waiting;
      if (!visitor) return;
      const name = { p: 'someone new', c: 'a customer' }[kind] || 'asking';
      find('panel-visitor').textContent = `${name}, ${visitor.slice(0, 6)}…${visitor.slice(-4)}`;
    });
  }

  find('panel-toggle').addEventListener('click', () => {
    const open = find('panel').toggleAttribute('data-open');
    find('panel-toggle').setAttribute('aria-expanded', open);
  });

  return log;
})();
