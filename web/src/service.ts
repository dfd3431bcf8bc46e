/**
 * The service worker: the page works without a network once it was loaded, and its documents may
 * share memory between threads, whatever the server says.
 */

export {};

declare const self: ServiceWorkerGlobalScope;

const CACHE = "fastdepth";

/** A network that does not answer so soon is taken for none [ms]. */
const PATIENCE = 4000;

self.addEventListener("install", () => void self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));

self.addEventListener("fetch", (event) => {
  const { request } = event;
  if (request.method === "GET" && new URL(request.url).origin === self.location.origin) {
    event.respondWith(answer(event));
  }
});

/** From the network while there is one, so that a new export is seen; else as it was last. */
async function answer(event: FetchEvent): Promise<Response> {
  const cache = await caches.open(CACHE);
  const known = await cache.match(event.request, { ignoreSearch: true, ignoreVary: true });
  const fresh = fetch(event.request, { cache: "no-cache" });
  const kept = fresh.then(
    (response) => (response.status === 200 ? cache.put(event.request, response.clone()) : undefined),
  );
  event.waitUntil(kept.catch(() => undefined)); // no network, or no room
  if (!known) return isolated(await fresh);
  const late = new Promise<Response>((done) => setTimeout(done, PATIENCE, known));
  const first = await Promise.race([fresh.catch(() => known), late]);
  return isolated(first.ok ? first : known);
}

/** The same answer, with the headers without which browsers share no memory between threads. */
function isolated(response: Response): Response {
  if (response.status === 0 || response.type === "opaqueredirect") return response;
  const headers = new Headers(response.headers);
  headers.set("Cross-Origin-Opener-Policy", "same-origin");
  headers.set("Cross-Origin-Embedder-Policy", "require-corp");
  const { status, statusText } = response;
  const empty = status === 204 || status === 304;
  return new Response(empty ? null : response.body, { status, statusText, headers });
}
