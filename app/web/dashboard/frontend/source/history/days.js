// The chart of days: says how much the day under the pointer stands for, and goes there.
const DAY = 86_400;
const named = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeZone: "UTC" });
const counted = new Intl.NumberFormat();

export function startDays(root) {
  root.querySelectorAll?.("[data-days]").forEach(start);
}

function start(chart) {
  if ("started" in chart.dataset) return;
  chart.dataset.started = "";
  const { first, counts, begin, end } = chart.dataset;
  const numbers = counts.split(",").map(Number);
  const firstDay = Date.parse(`${first}T00:00:00Z`) / 1000;
  const says = chart.parentElement.querySelector("[data-says]");
  let before;

  const secondsAt = ({ clientX }) => {
    const { left, width } = chart.getBoundingClientRect();
    const part = Math.min(Math.max((clientX - left) / width, 0), 1);
    return Number(begin) + part * (Number(end) - Number(begin));
  };
  chart.addEventListener("pointermove", (event) => {
    const number = Math.floor((secondsAt(event) - firstDay) / DAY);
    if (!says || !(number in numbers)) return;
    before ??= says.textContent;
    says.textContent = `${named.format(new Date((firstDay + number * DAY) * 1000))}: ${counted.format(numbers[number])}`;
  });
  chart.addEventListener("pointerleave", () => {
    if (says && before !== undefined) says.textContent = before;
    before = undefined;
  });
  chart.addEventListener("click", (event) => {
    const at = secondsAt(event);
    before = undefined;
    const slider = chart.closest("[data-slider]")?.elements.at;
    if (slider) {
      slider.value = at;
      slider.dispatchEvent(new Event("input", { bubbles: true }));
      return;
    }
    const day = firstDay + Math.floor((at - firstDay) / DAY) * DAY;
    const address = new URL(location.href);
    for (const [name, moment] of [["since", day], ["until", day + DAY]]) address.searchParams.set(name, `${new Date(moment * 1000).toISOString().slice(0, 19)}Z`);
    address.searchParams.delete("cursor");
    location.assign(address);
  });
}
