// The shop. Every call to ochn stands where its page's moment is; nothing else here knows of tracking.
(function () {
  'use strict';

  const PRODUCTS = [
    { art: 'lamp', name: 'Loma table lamp', brand: 'Nordlys', interest: 'Lighting', price: 129, tint: '#fbe3cf', about: 'Spun steel, oiled brass, a warm pool of light.' },
    { art: 'vase', name: 'Ember vase', brand: 'Atelier Roux', interest: 'Ceramics', price: 68, tint: '#e4ebdc', about: 'Stoneware dipped once in terracotta slip.' },
    { art: 'chair', name: 'Sola lounge chair', brand: 'Casa Verde', interest: 'Furniture', price: 420, tint: '#f3e2bf', about: 'Ash, wool, and a cushion you may not share.' },
    { art: 'mug', name: 'Dune mugs, a pair', brand: 'Atelier Roux', interest: 'Ceramics', price: 36, tint: '#dde6e4', about: 'One for you, one for whoever is awake.' },
    { art: 'tote', name: 'Field tote', brand: 'Kito', interest: 'Bags', price: 84, tint: '#efe0d2', about: 'Waxed canvas and saddle leather. Ages well.' },
    { art: 'planter', name: 'Fern planter', brand: 'Casa Verde', interest: 'Garden', price: 52, tint: '#f6dccd', about: 'Thrown by hand, happy on any windowsill.' },
  ];

  const find = (id) => document.getElementById(id);
  const euros = (amount) => '€' + amount.toLocaleString('en');
  const bag = [];

  // --- The collection --------------------------------------------------------------------------------------------

  function showCards(brand) {
    const cards = PRODUCTS.filter((product) => !brand || product.brand === brand).map(card);
    find('cards').replaceChildren(...cards);
  }

  function card(product) {
    const made = find('card').content.cloneNode(true);
    const part = (selector) => made.querySelector(selector);
    part('.look').style.background = product.tint;
    part('use').setAttribute('href', 'art.svg#' + product.art);
    part('.look .hidden').textContent = 'Look closer at ' + product.name;
    part('.brand').textContent = product.brand;
    part('h3').textContent = product.name;
    part('.about').textContent = product.about;
    part('.price').textContent = euros(product.price);
    part('.look').addEventListener('click', () => lookAt(product));
    part('.add').addEventListener('click', () => addToBag(product));
    return made;
  }

  function lookAt(product) {
    ochn.send('action', 'visit', { brands: [product.brand], interests: [product.interest] });
  }

  function showBrands() {
    const names = ['All', ...new Set(PRODUCTS.map((product) => product.brand))];
    const buttons = names.map((name) => Object.assign(document.createElement('button'), { textContent: name, type: 'button' }));
    const choose = (chosen) => buttons.forEach((button) => button.setAttribute('aria-pressed', button === chosen));
    buttons.forEach((button, index) => button.addEventListener('click', () => {
      choose(button);
      showCards(index ? names[index] : '');
      if (index) ochn.send('action', 'visit', { brands: [names[index]] });
    }));
    choose(buttons[0]);
    find('brands').replaceChildren(...buttons);
  }

  // --- The bag ---------------------------------------------------------------------------------------------------

  function addToBag(product) {
    bag.push(product);
    showBag();
    ochn.send('action', 'engagement', { description: 'added to bag: ' + product.name });
  }

  function showBag() {
    const lines = bag.map((product) => {
      const line = document.createElement('li');
      line.append(Object.assign(document.createElement('span'), { textContent: product.name }), euros(product.price));
      return line;
    });
    find('bag-lines').replaceChildren(...lines);
    find('bag-count').textContent = bag.length;
    find('bag-total').textContent = euros(bag.reduce((sum, product) => sum + product.price, 0));
    find('bag-empty').hidden = bag.length > 0;
    find('buy').disabled = bag.length === 0;
  }

  function openBag(open) {
    find('bag').hidden = !open;
    find('bag-button').setAttribute('aria-expanded', open);
  }

  function buy() {
    const totals = new Map();
    bag.forEach(({ brand, price }) => totals.set(brand, (totals.get(brand) || 0) + price));
    ochn.send('action', 'sale', { receipts: [...totals].map(([name, value]) => ({ name, value })) });
    bag.length = 0;
    showBag();
    find('bag-empty').textContent = 'Thank you! It is on its way, wrapped in paper.';
  }

  // --- Forms -----------------------------------------------------------------------------------------------------

  function onSubmit(id, handle) {
    find(id).addEventListener('submit', (event) => {
      event.preventDefault();
      handle(event.target);
    });
  }

  function showScale() {
    for (let rating = 1; rating <= 10; rating++) {
      const button = Object.assign(document.createElement('button'), { type: 'button', textContent: rating });
      button.addEventListener('click', () => {
        find('scale').querySelectorAll('button').forEach((one) => one.setAttribute('aria-pressed', one === button));
        find('feedback-thanks').textContent = rating > 7 ? 'That made our day. Thank you!' : 'Thank you. We will do better.';
        ochn.send('action', 'feedback', { rating });
      });
      find('scale').append(button);
    }
  }

  function bookVisit(form) {
    const { day, time, senderType } = Object.fromEntries(new FormData(form));
    ochn.send('action', 'contact', { appointmentDate: `${day} ${time}:00`, senderType });
    form.querySelector('.thanks').textContent = `See you on ${day} at ${time}.`;
  }

  async function joinTheCircle(form) {
    const given = new FormData(form);
    const { news, tags, photo, ...lead } = Object.fromEntries([...given].filter(([, value]) => value !== ''));
    lead.tags = given.getAll('tags');
    lead.marketingChannels = [{ channel: 'email', type: 'owner', agreed: news ? 'true' : 'false' }];
    if (photo.size) lead.photo = photo;
    const answer = await ochn.register(lead, true);
    const filled = [...given.values()].filter((value) => value.size || value.length).length;
    ochn.send('action', 'profiling', { percentCompleted: Math.min(100, Math.round((filled / 7) * 100)) });
    find('lead-thanks').textContent = answer.status === 'ok' ? `Welcome to the circle, ${lead.userFirstName}.` : answer.message;
  }

  function fillIn(form) {
    const known = ochn.prepopulate({ email: form.email.value }); // half of the real pages read it without await
    const fields = Object.entries(known.data);
    fields.filter(([name]) => find('lead').elements[name]).forEach(([name, value]) => { find('lead').elements[name].value = value; });
    find('newsletter-thanks').textContent = fields.length
      ? `Welcome back, ${known.data.userFirstName}.`
      : 'This browser has not registered that address yet.';
  }

  function signIn(form) {
    sessionStorage.setItem('signed-in', form.email.value);
    ochn.init(form.email.value);
    showSignedIn();
  }

  function showSignedIn() {
    const email = sessionStorage.getItem('signed-in');
    if (email) find('sign-in').replaceChildren(Object.assign(document.createElement('span'), { textContent: email, title: email }));
  }

  // --- Consent: the shop asks, its answer is a cookie, and omnichannel.js looks at that ----------------------------

  function askForConsent() {
    const asked = location.search === '?consent' && !/(^|; )cookie_consent=/.test(document.cookie);
    find('ask').hidden = !asked;
    find('ask').querySelectorAll('button').forEach((button) => button.addEventListener('click', () => {
      document.cookie = `cookie_consent=${button.value};path=/;max-age=15552000;samesite=lax`;
      find('ask').hidden = true;
    }));
  }

  showCards('');
  showBrands();
  showBag();
  showScale();
  showSignedIn();
  askForConsent();
  find('bag-button').addEventListener('click', () => openBag(find('bag').hidden));
  find('buy').addEventListener('click', buy);
  find('contact').elements.day.value = new Date(Date.now() + 864e5).toISOString().slice(0, 10);
  onSubmit('contact', bookVisit);
  onSubmit('lead', joinTheCircle);
  onSubmit('newsletter', fillIn);
  onSubmit('sign-in', signIn);
})();
