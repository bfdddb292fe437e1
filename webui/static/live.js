// The stream of a page: numbers change where they stand; when the state itself changes, the page is fetched anew.

const root = document.getElementById("live");
const word = document.querySelector("[data-live-word]");
let stream = null;

function tell(isLive) {
  word?.closest("p").classList.toggle("live", isLive);
  if (word) word.textContent = isLive ? word.dataset.on : word.dataset.off;
}

function put(values) {
  for (const place of document.querySelectorAll("[data-live]")) {
    const value = values[place.dataset.live];
    if (value === undefined) continue;
    const time = place.querySelector("time");
    if (typeof value === "object" && value !== null) {
      const fresh = time ?? document.createElement("time");
      fresh.dateTime = value.at;
      fresh.title = value.exactly;
      fresh.textContent = value.text;
      if (!time) place.replaceChildren(fresh);
    } else if (place.textContent !== value) {
      place.textContent = value;
    }
  }
}

// The whole page again, quietly: only what the stream says has changed in kind.
async function renew() {
  const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
  if (!answer.ok || new URL(answer.url).pathname !== location.pathname) return location.reload();
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("live");
  if (!fresh) return location.reload();
  Object.assign(root.dataset, fresh.dataset);
  root.replaceChildren(...fresh.childNodes);
}

function changed(state) {
  return ["level", "findings", "recording"].some((key) => String(state[key]) !== root.dataset[key]);
}

// One stream a page, and none while nobody looks at it.
function open() {
  if (stream || document.hidden) return;
  stream = new EventSource(root.dataset.stream);
  stream.addEventListener("error", () => {
    tell(false);
    if (stream?.readyState === EventSource.CLOSED) close();
  });
  stream.addEventListener("message", async (event) => {
    const now = JSON.parse(event.data);
    tell(!now.lost);
    if (now.lost) return;
    if (changed(now.state)) await renew().catch(() => tell(false));
    put(now.values);
  });
}

function close() {
  stream?.close();
  stream = null;
  tell(false);
}

if (root && "EventSource" in window) {
  document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
  window.addEventListener("pagehide", close);
  window.addEventListener("pageshow", open);
  open();
}
