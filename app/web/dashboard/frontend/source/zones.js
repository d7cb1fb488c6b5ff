// Fields for times: shown and typed in the reader's zone, sent in UTC. Without scripts they are UTC,
// as what stands beside them says.
const fields = "input[type=datetime-local]";
const written = (at) => new Date(at - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 19);

export function showZones(root) {
  const labels = [...(root.querySelectorAll?.("[data-zone]") ?? [])];
  for (const label of labels) {
    const field = label.closest("label").querySelector(fields);
    if (!field || "shown" in label.dataset) continue;
    label.dataset.shown = "";
    label.textContent = "(your time)";
    if (field.value) field.value = field.defaultValue = written(new Date(`${field.value}Z`));
  }
}

// Whatever sends a form, the browser or htmx, asks it for its data first.
document.addEventListener("formdata", ({ target: form, formData }) => {
  for (const field of form.querySelectorAll(fields)) {
    const shown = field.closest("label")?.querySelector("[data-shown]");
    if (shown && field.value) formData.set(field.name, `${new Date(field.value).toISOString().slice(0, 19)}Z`);
  }
});
