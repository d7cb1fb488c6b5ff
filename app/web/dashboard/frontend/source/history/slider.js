// The slider along the time: says where it stands in words, for those who see and those who hear.
const full = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "medium" });

export function startSliders(root) {
  const forms = [...(root.querySelectorAll?.("[data-slider]") ?? [])];
  forms.forEach(start);
  // What was found may be another moment than that of the slider: a link led to it.
  const past = root.matches?.("#past") ? root : root.querySelector?.("#past");
  const form = document.querySelector("[data-slider]");
  if (past && form && document.activeElement !== form.elements.at) place(form, past.dataset);
}

function start(form) {
  if ("started" in form.dataset) return;
  form.dataset.started = "";
  form.elements.at.addEventListener("input", () => say(form));
  say(form);
}

function place(form, { at, newest }) {
  const slider = form.elements.at;
  slider.value = newest ? slider.max : Math.floor(at);
  say(form, at);
}

// The stop, or the very moment between two stops that something else than the slider led to.
function say(form, seconds = form.elements.at.value) {
  const slider = form.elements.at;
  const isNow = Number(slider.value) >= Number(slider.max);
  const text = isNow ? "Now" : full.format(new Date(Number(seconds) * 1000));
  form.querySelector("[data-says]").textContent = text;
  slider.setAttribute("aria-valuetext", text);
}
