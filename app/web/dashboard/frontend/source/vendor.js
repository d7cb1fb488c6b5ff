import htmx from "htmx.org";
import { Idiomorph } from "idiomorph";

// A name of its own, since htmx looks an extension up by it: what did not change is not touched, so
// that focus, selection and open sections outlive a refresh.
htmx.defineExtension("morph", {
  isInlineSwap: (style) => style === "morph",
  handleSwap: (style, target, fragment) =>
    style === "morph" ? Idiomorph.morph(target, fragment.children, { morphStyle: "outerHTML" }) : false,
});
