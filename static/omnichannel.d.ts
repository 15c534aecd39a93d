/**
 * omnichannel.js, for pages in TypeScript. Copy it beside your sources, or name it in a `/// <reference path>`.
 *
 * `ochn` is a global that comes when the script has loaded: `window.ochn?.send(…)` until then. A page declares
 * `ochnkey`, `ochntrack` and `enableLogging` itself, as globals of any kind, or sets them on `window` as typed here.
 */

declare const ochn: Ochn.Api;

interface Window {
  ochn?: Ochn.Api;
  /** The app key. Read whenever something is made or sent: events wait in the browser until there is one. */
  ochnkey?: string;
  /** Called once when the script has loaded, and again when the back button revives the page. May throw or reject. */
  ochntrack?: () => unknown;
  /** `true`: to the console; a function: to that; else silence. */
  enableLogging?: boolean | ((what: string, detail?: unknown) => void);
}

declare namespace Ochn {
  /** None of the calls throws or waits for the network. */
  interface Api {
    readonly version: string;
    /** Introduces the visitor, with an e-mail as a customer. Asks the collector once a day, key and e-mail. */
    init(email?: string): Answered<Answer>;
    /** Keeps the event, then sends it in its turn: "ok" says that it is kept, not that it has arrived. */
    send(requestType: RequestType, actionType: ActionType, data?: object): Answered<Answer>;
    /** Awaited: the collector's verdict, or after 3 s that the lead is kept and on its way. `flag` changes nothing. */
    register(lead: object, flag?: unknown): Answered<Answer>;
    /** What this browser itself registered under that e-mail within 180 days; `data` is empty when it did not. */
    prepopulate(person: { email: string }): Answered<Prefill>;
    /** Asks for what is off by default, as attributes of the script's tag do (`data-spa`, `data-endpoint="/t"`). Only
     * what is named changes. `consent` is best an attribute: so nothing is sent before it is known. Gives what is on. */
    config(options?: Options): Options;
    state(): State;
  }

  interface Options {
    /** `true`: nothing is kept, sent or loaded until the cookie `cookie_consent` says yes ("accepted", or JSON whose
     * `analytics` does; another purpose by its name). After a no everything is erased. Leads go all the same. */
    consent?: boolean | 'marketing' | (string & {});
    /** Where the calls go, in place of `<the script's origin>/jsapi`: a path or URL that your own server passes on. */
    endpoint?: string;
    /** Calls carry cookies: for a collector on another host of the same site, and an app key with `origins`. */
    credentials?: boolean;
    /** Name of the cookie in which the script before this one kept the visitor's id: taken over once. */
    oldCookie?: string;
    /** A visit when the path changes without a load, unless the page sends its own. */
    spa?: boolean;
    /** An engagement when a link to another host is followed. */
    links?: boolean;
    /** An engagement when a link to a file is followed. */
    downloads?: boolean;
    /** An engagement when a form is submitted: its name, never what stands in it. */
    forms?: boolean;
    /** An engagement when what carries a `fai-key` is clicked. */
    fai?: boolean;
    /** How far down the page was seen, when it is left. */
    scroll?: boolean;
    /** For how many seconds it was in use, when it is left. */
    engaged?: boolean;
    /** Core Web Vitals, when the page is first left or hidden. */
    vitals?: boolean;
  }

  /** A promise that carries its answer already: pages read it with and without await. */
  type Answered<T> = Promise<T> & T;

  interface Answer {
    status: 'ok' | 'error';
    message: string;
  }

  interface Prefill extends Answer {
    /** Absent when the call failed. No files, no passwords. */
    data?: Record<string, string | number | boolean>;
  }

  interface State {
    /** As the collector named the visitor; undefined before its first answer. */
    visitor: string | undefined;
    /** "p": a visitor, "c": a customer. */
    kind: 'p' | 'c' | undefined;
    /** Events that this tab has yet to deliver, also those that it waits for consent with. */
    queued: number;
    /** Events that the collector took from this page. */
    sent: number;
    /** Events given up on this page: refused, or too many. */
    dropped: number;
    /** Attempts in a row that failed: 0 when the collector was last heard. */
    failures: number;
  }

  /** Those the vendors know; the collector says what it thinks of others. */
  type RequestType = 'action' | 'reach' | 'impression' | (string & {});
  type ActionType = 'visit' | 'sale' | 'contact' | 'feedback' | 'engagement' | 'profiling' | (string & {});
}
