// A button with data-copies="id" copies the text of that element.
export function startCopying(root) {
  root.querySelectorAll?.("[data-copies]").forEach((button) => {
    if (button.dataset.ready) return;
    button.dataset.ready = "true";
    button.addEventListener("click", async () => {
      const source = document.getElementById(button.dataset.copies);
      const before = button.textContent;
      try {
        await navigator.clipboard.writeText(source.value ?? source.textContent);
        button.textContent = "Copied";
      } catch {
        button.textContent = "Select and copy it yourself";
      }
      setTimeout(() => { button.textContent = before; }, 2000);
    });
  });
}
