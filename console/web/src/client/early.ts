/**
 * Calls that the early script (`console/web/early.ts`) has made while this was still loading: by URL
 * and body. Each is the answer to one call that asks the same, soon.
 */
declare global {
  var lumetryEarly: Map<string, Promise<Response>> | undefined;
}

const SIGNED_IN = "lumetry.signed-in";
/** An answer that nobody has taken by then tells of what was. */
const FRESH_MS = 30_000;

/**
 * Keeps whether somebody is, so that the early script asks for nothing in vain. What a stranger was
 * told is no answer to whoever signs in next.
 */
export function rememberSignedIn(isSignedIn: boolean): void {
  if (isSignedIn) localStorage.setItem(SIGNED_IN, "yes");
  else {
    localStorage.removeItem(SIGNED_IN);
    globalThis.lumetryEarly?.clear();
  }
}

/** The answer to a call that was made early; undefined when it was not. What got none is asked anew. */
export function takeEarly(url: string, init: RequestInit): Promise<Response> | undefined {
  const { body } = init;
  if (!(body instanceof Uint8Array)) return undefined;
  const key = `${url} ${btoa(String.fromCharCode(...body))}`;
  const early = globalThis.lumetryEarly?.get(key);
  globalThis.lumetryEarly?.delete(key);
  if (!early || performance.now() > FRESH_MS) return undefined;
  return early.catch(() => fetch(url, init));
}
