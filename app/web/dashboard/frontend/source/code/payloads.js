// Payloads to try a hook with: the trigger's example, and those that were run in this tab before. They
// may be about people, so they go with the tab.
import { replaceAll } from "./write.js";

const MOST = 8;

export function startPayloads(form, view) {
  const select = form.querySelector("[data-payloads]");
  const key = `hookledger.payloads.${form.elements.trigger.value}`;
  const past = () => JSON.parse(sessionStorage.getItem(key) ?? "[]");

  const list = () => {
    select.querySelectorAll("[data-past]").forEach((option) => option.remove());
    past().forEach(({ at, payload }, place) => {
      const option = new Option(`Run at ${new Date(at).toLocaleTimeString()}: ${payload.replace(/\s+/g, " ").slice(0, 40)}…`, String(place));
      option.dataset.past = "";
      select.append(option);
    });
  };
  list();
  select.addEventListener("change", () => {
    const given = { example: select.dataset.example, recorded: select.selectedOptions[0].dataset.payload };
    const chosen = given[select.value] ?? past()[Number(select.value)]?.payload;
    if (chosen) replaceAll(view, chosen);
  });
  return {
    ran() {
      const payload = form.elements.payload.value;
      const others = past().filter((each) => each.payload !== payload);
      const isExample = payload === select.dataset.example;
      sessionStorage.setItem(key, JSON.stringify(isExample ? others : [{ at: Date.now(), payload }, ...others].slice(0, MOST)));
      list();
    },
  };
}
