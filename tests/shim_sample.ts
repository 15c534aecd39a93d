/// <reference path="../static/omnichannel.d.ts" />
// A page in TypeScript, as strict as it gets. Nothing here runs: the compiler is the test.

window.ochnkey = 'demo';
window.enableLogging = (what, detail) => console.log(what.toUpperCase(), detail);
window.ochntrack = async () => {
  const { status, message } = ochn.init(); // without await
  const answer = await ochn.init('ann@shop.example');
  console.log(status === 'ok' ? message : answer.message.length);
  ochn.send('action', 'visit', { brands: ['Nordlys'], receipts: [{ name: 'A', value: 9.5 }] });
  ochn.send('action', 'of our own');
  const asked = ochn.config({ spa: true, consent: 'marketing', endpoint: '/t' });
  console.log(asked.vitals === true, ochn.config().oldCookie?.length);
};

async function onSubmit(form: HTMLFormElement): Promise<boolean> {
  const file: File | null = new FormData(form).get('photo') as File | null;
  const verdict = await ochn.register({ userEmail: 'ann@shop.example', photo: file, tags: ['a', 'b'] }, true);
  return verdict.status === 'ok';
}

function prefill(email: string): string {
  const known = ochn.prepopulate({ email }).data ?? {};
  return String(known['firstName'] ?? '');
}

const { queued, kind } = ochn.state();
const shown: string = `${queued.toFixed()} ${kind === 'c' ? 'customer' : kind ?? 'nobody yet'}`;
window.ochn?.send('reach', 'visit');

// @ts-expect-error: an e-mail is a string
ochn.init(5);
// @ts-expect-error: both types are wanted
ochn.send('action');
// @ts-expect-error: data is an object
ochn.send('action', 'visit', 'brand');
// @ts-expect-error: an object, not the e-mail alone
ochn.prepopulate('ann@shop.example');
// @ts-expect-error: before the script is there it is undefined
window.ochn.state();
// @ts-expect-error: there may be no visitor yet
const visitor: string = ochn.state().visitor;
// @ts-expect-error: there is no such part
ochn.config({ heatmap: true });
// @ts-expect-error: an endpoint is a path or a URL
ochn.config({ endpoint: true });
// @ts-expect-error: there is no such call
ochn.track('visit');

export { onSubmit, prefill, shown, visitor };
