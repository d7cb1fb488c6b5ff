// Log lines as they are written: those that come are put above the others, of which so many stay.
// Nobody is followed while the page is hidden or held; what was missed comes afterwards.
import { showTimes } from "./times.js";

const RETRY = [2_000, 5_000, 15_000, 30_000];
let current;

class Following {
  constructor(root) {
    this.root = root;
    this.list = root.querySelector("ol");
    this.most = Number(root.dataset.most);
    this.shown = new Set([...this.list.children].map((row) => row.dataset.sequence));
    this.waiting = [];
    this.failures = this.missed = 0;
    this.held = this.over = false;
    this.button = root.querySelector("[data-pause]");
    this.button.hidden = false;
    this.button.addEventListener("click", () => this.hold(!this.held));
    this.go();
  }

  say(state, text) {
    const place = this.root.querySelector("[data-state]");
    place.dataset.state = state;
    place.querySelector("[data-says]").textContent = text + (this.missed ? ` ${this.missed} lines came too fast and are left out here.` : "");
  }

  hold(held) {
    this.held = held;
    this.button.textContent = held ? "Go on" : "Pause";
    if (held) { this.stop(); this.say("held", "Paused. What is written meanwhile comes when you go on."); } else this.go();
  }

  go() {
    if (this.source || this.held || this.over || document.hidden) return;
    clearTimeout(this.timer);
    const address = new URL(this.root.dataset.follow, location.href);
    if (this.last) address.searchParams.set("after", this.last);
    this.source = new EventSource(address);
    this.source.addEventListener("open", () => { this.failures = 0; this.say("live", "Live."); });
    this.source.addEventListener("line", (event) => this.take(event));
    this.source.addEventListener("gap", (event) => { this.missed += JSON.parse(event.data).dropped; this.say("live", "Live."); });
    this.source.addEventListener("end", (event) => this.ended(JSON.parse(event.data).reason));
    this.source.addEventListener("error", () => this.again());
  }

  stop() {
    clearTimeout(this.timer);
    this.source?.close();
    this.source = undefined;
  }

  again() {
    this.stop();
    const wait = RETRY[Math.min(this.failures++, RETRY.length - 1)];
    this.say("broken", "The stream broke off; it is tried again by itself.");
    this.timer = setTimeout(() => this.go(), wait);
  }

  ended(reason) {
    if (reason !== "token") { this.again(); return; }
    this.stop();
    this.over = true;
    this.button.hidden = true;
    this.say("broken", "Your session has ended. Load this page again to sign in.");
  }

  take(event) {
    this.last = event.lastEventId;
    if (this.shown.has(event.lastEventId)) return;
    this.waiting.push(JSON.parse(event.data));
    if (this.waiting.length > this.most) this.waiting.shift();
    this.frame ??= requestAnimationFrame(() => this.show());
  }

  show() {
    this.frame = undefined;
    const rows = document.createDocumentFragment();
    for (const line of this.waiting.splice(0).reverse()) rows.append(row(line));
    showTimes(rows);
    this.list.prepend(rows);
    while (this.list.children.length > this.most) this.list.lastElementChild.remove();
    this.root.querySelector("[data-nothing]").hidden = true;
    this.root.querySelector("[data-older]").hidden = false;
  }
}

// Text is text: nothing that a hook wrote is read as markup.
function row(line) {
  const made = document.getElementById("line").content.firstElementChild.cloneNode(true);
  const [place, level, hook, text] = made.children;
  made.className = line.level;
  place.firstElementChild.dateTime = line.at;
  if (line.invocation) place.href = `/invocations/${encodeURIComponent(line.invocation)}`;
  level.textContent = line.level;
  hook.textContent = line.hook || "the server";
  if (line.hook) hook.href = `/hooks/${encodeURIComponent(line.hook)}`;
  text.textContent = line.text;
  return made;
}

function start() {
  const root = document.querySelector("[data-follow]");
  if (current?.root === root) return;
  current?.stop();
  current = root ? new Following(root) : undefined;
}

start();
document.addEventListener("htmx:load", start);
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) current?.go();
  else if (current?.source) { current.stop(); current.say("held", "Waiting until somebody looks."); }
});
addEventListener("pagehide", () => current?.stop());
addEventListener("pageshow", () => current?.go());
