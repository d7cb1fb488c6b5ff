// A button with data-opens="id" opens that <dialog>, which closes by its buttons and by Escape.
export function startDialogs(root) {
  root.querySelectorAll?.("[data-opens]").forEach((button) => {
    if (button.dataset.ready) return;
    button.dataset.ready = "true";
    button.addEventListener("click", () => document.getElementById(button.dataset.opens)?.showModal());
  });
  root.querySelectorAll?.("dialog [data-closes]").forEach((button) => {
    button.addEventListener("click", () => button.closest("dialog").close());
  });
  root.querySelectorAll?.("dialog[data-open]").forEach((dialog) => dialog.showModal());
}
