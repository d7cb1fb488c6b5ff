// Computes the proof of an event again, in the reader's browser: from the bytes shown to the leaf,
// from the leaf to the root (RFC 9162, section 2.1.3.2), and compares that with the checkpoint.
const ENTRY = "hookledger-event-v1\n";
const utf8 = new TextEncoder();
const hex = (bytes) => [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
const bytesOf = (text) => Uint8Array.from(text.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));

export function checkProofs(root) {
  root.querySelectorAll?.("[data-proof]").forEach((section) => check(section));
}

async function check(section) {
  if ("checked" in section.dataset) return;
  section.dataset.checked = "";
  const verdict = section.querySelector("[data-verdict]");
  const say = (kind, text) => { verdict.className = `callout ${kind}`; verdict.querySelector("span").textContent = text; };
  if (!globalThis.crypto?.subtle) {
    say("", "The server computed this. Your browser computes it again only over HTTPS or on this machine.");
    return;
  }
  try {
    say(...await judged(section));
  } catch (error) {
    say("bad", `Your browser could not compute it again: ${error.message}`);
  }
}

async function judged(section) {
  const { digest } = section.dataset;
  const state = document.querySelector("[data-state]");
  const shown = state && hex(await sha256(utf8.encode(state.textContent)));
  if (shown && shown !== digest) return ["bad", "The bytes shown below are not those whose digest was proved: do not rely on them."];
  const leaf = await leafOf(section.dataset);
  if (hex(leaf) !== section.querySelector("[data-leaf]").textContent) return ["bad", "The event as it is told does not hash to the leaf that was proved."];
  const path = [...section.querySelectorAll("[data-beside]")].map((each) => bytesOf(each.textContent));
  const found = await rootFrom(leaf, BigInt(section.dataset.index), BigInt(section.dataset.size), path);
  const [, size, signed] = section.querySelector("[data-note]").textContent.split("\n");
  const same = found && size === section.dataset.size && signed === btoa(String.fromCharCode(...found));
  if (!same) return ["bad", "The hashes do not lead to the root that is signed below."];
  const whence = shown ? "from the bytes shown below" : "from the digest of its bytes, which you may not see";
  return ["good", `Your browser computed it again, ${whence}: this event is in the history of ${section.dataset.size} events that is signed below. Whose signature that is, \`hookledger audit verify\` tells by a key you hold.`];
}

async function leafOf({ position, version, stream, topic, digest }) {
  const [name, kind] = [utf8.encode(stream), utf8.encode(topic)];
  const head = new DataView(new ArrayBuffer(24));
  head.setBigUint64(0, BigInt(position));
  head.setBigUint64(8, BigInt(version));
  head.setUint32(16, name.length);
  head.setUint32(20, kind.length);
  return sha256(Uint8Array.of(0), utf8.encode(ENTRY), new Uint8Array(head.buffer), name, kind, bytesOf(digest));
}

async function rootFrom(leaf, index, size, path) {
  let [node, last, hash] = [index, size - 1n, leaf];
  for (const beside of path) {
    if (last === 0n) return null;
    if (node & 1n || node === last) {
      hash = await sha256(Uint8Array.of(1), beside, hash);
      while (!(node & 1n) && node) { node >>= 1n; last >>= 1n; }
    } else {
      hash = await sha256(Uint8Array.of(1), hash, beside);
    }
    node >>= 1n;
    last >>= 1n;
  }
  return last === 0n ? hash : null;
}

async function sha256(...parts) {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", await new Blob(parts).arrayBuffer()));
}
