// Times as the reader's clock shows them; the server writes them in UTC.
const full = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
const day = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });
const dayOfUtc = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeZone: "UTC" });
const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3, hourCycle: "h23" });
const relative = new Intl.RelativeTimeFormat(undefined, { numeric: "auto", style: "short" });
const units = [["second", 60], ["minute", 60], ["hour", 24], ["day", 7]];

function ago(at) {
  let passed = (at - Date.now()) / 1000;
  for (const [unit, size] of units) {
    if (Math.abs(passed) < size) return relative.format(Math.round(passed), unit);
    passed /= size;
  }
  return day.format(at);
}

const short = (at) => (at.toDateString() === new Date().toDateString() ? clock : full).format(at);
const ways = { ago, clock: short, day: (at) => dayOfUtc.format(at), full: (at) => full.format(at) };

function show(time) {
  const at = new Date(time.dateTime);
  if (Number.isNaN(at.getTime())) return;
  time.textContent = ways[time.dataset.show](at);
  time.title = full.format(at);
}

export function showTimes(root) {
  root.querySelectorAll?.("time[datetime]").forEach(show);
  if (root.matches?.("time[datetime]")) show(root);
}

setInterval(() => document.querySelectorAll("time[data-show=ago]").forEach(show), 15_000);
