// A button with data-opens="id" opens that <dialog>, which closes by its buttons and by Escape;
// data-fills is written into its field of data-filled.
export function startDialogs(root) {
  root.querySelectorAll?.("[data-opens]").forEach((button) => {
    if (button.dataset.ready) return;
    button.dataset.ready = "true";
    button.addEventListener("click", () => {
      const dialog = document.getElementById(button.dataset.opens);
      const filled = dialog.querySelector("[data-filled]");
      if (filled) filled.value = button.dataset.fills ?? "";
      dialog.showModal();
      if (filled?.value) dialog.querySelector("input:not([data-filled], [type=hidden])")?.focus();
    });
  });
  root.querySelectorAll?.("dialog [data-closes]").forEach((button) => {
    button.addEventListener("click", () => button.closest("dialog").close());
  });
  root.querySelectorAll?.("dialog[data-open]").forEach((dialog) => dialog.showModal());
}
