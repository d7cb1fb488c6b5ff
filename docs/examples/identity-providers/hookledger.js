// Ask the hook of a trigger, from any identity provider that runs on Node.js 20 or later.

const server = process.env.HOOKLEDGER_URL ?? 'http://127.0.0.1:8080';
const token = process.env.HOOKLEDGER_TOKEN;
const patience = 10_000; // milliseconds; longer than any hook of the repository may take

/** What a hook refuses with; `data` holds `name`, `message` and what else its error carries. */
export class Refused extends Error {
  constructor(data) {
    super(data.message);
    this.name = data.name ?? 'Error';
    this.data = data;
  }
}

/**
 * Return the effects of a trigger's hook, or `null` when none is enabled or the trigger does not
 * block: then the server has stored the call, and delivers it whatever happens.
 *
 * Throws `Refused` when the hook says no. Any other error means that it could not be asked: whether
 * that lets a person in, the caller decides. Here, as on Auth0, it does not.
 */
export async function ask(trigger, payload) {
  const answer = await fetch(`${server}/v1/triggers/${trigger}/invoke`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify(payload),
    signal: AbortSignal.timeout(patience),
  });
  if (answer.status === 202 || answer.status === 204) return null;
  const document = await answer.json();
  if (!answer.ok) {
    throw new Error(`${trigger} cannot be asked: ${document.title ?? answer.status}. ${document.detail ?? ''}`);
  }
  if (document.status === 'error') throw new Refused(document.data);
  return document.effects;
}
