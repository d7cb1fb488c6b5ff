// Files that the commit shall add beside the script, made by the page rather than sent with it.
export function addFile(form, path, text) {
  const block = form.querySelector("[data-new-file]").content.firstElementChild.cloneNode(true);
  const [area, was] = [block.querySelector("textarea"), block.querySelector("input")];
  block.querySelector("code").textContent = path;
  area.name = `file:${path}`;
  was.name = `was:${path}`;
  area.setAttribute("aria-label", path);
  area.value = text;
  block.dataset.added = "";
  block.querySelector("[data-drops-file]").addEventListener("click", () => {
    block.remove();
    form.dispatchEvent(new Event("input"));
  });
  form.querySelector("[data-add-file]").before(block);
  return area;
}
