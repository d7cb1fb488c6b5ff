// One generation of Auth0's Node SDK, driven by lines of JSON: `["create", {...}]` in,
// `{"value": ...}` or `{"error": {...}}` out. Arguments: the package's folder, its major version
// and the domain of the tenant.
"use strict";
const readline = require("node:readline");

const [folder, major, domain] = process.argv.slice(2);
const { ManagementClient } = require(folder);
const { hooks } = new ManagementClient({
  domain,
  clientId: process.env.AUTH0_CLIENT_ID,
  clientSecret: process.env.AUTH0_CLIENT_SECRET,
});

async function everyPage(fetchPage, size) {
  const all = [];
  for (let page = 0; ; page += 1) {
    const found = await fetchPage({ page, per_page: size, include_totals: true });
    all.push(...found.hooks);
    if (all.length >= found.total) return all;
  }
}

const generation3 = {
  create: (hook) => hooks.create(hook),
  get: (id) => hooks.get({ id }),
  list: (size) => everyPage((query) => hooks.getAll(query), size),
  all: () => hooks.getAll(),
  update: (id, changes) => hooks.update({ id }, changes),
  delete: (id) => hooks.delete({ id }),
  secrets: (id) => hooks.getSecrets({ id }),
  addSecrets: (id, values) => hooks.addSecrets({ id }, values),
  updateSecrets: (id, values) => hooks.updateSecrets({ id }, values),
  deleteSecrets: (id, names) => hooks.removeSecrets({ id }, names),
};

const data = async (answer) => (await answer).data;
const generation4 = {
  create: (hook) => data(hooks.create(hook)),
  get: (id) => data(hooks.get({ id })),
  list: (size) => everyPage((query) => data(hooks.getAll(query)), size),
  all: () => data(hooks.getAll()),
  update: (id, changes) => data(hooks.update({ id }, changes)),
  delete: (id) => data(hooks.delete({ id })),
  secrets: (id) => data(hooks.getSecrets({ id })),
  addSecrets: (id, values) => data(hooks.addSecrets({ id }, values)),
  updateSecrets: (id, values) => data(hooks.updateSecrets({ id }, values)),
  deleteSecrets: (id, names) => data(hooks.deleteSecrets({ id }, names)),
};

async function collect(pages) {
  const all = [];
  for await (const hook of await pages) all.push(hook);
  return all;
}
const generation5 = {
  create: (hook) => hooks.create(hook),
  get: (id) => hooks.get(id),
  list: (size) => collect(hooks.list({ per_page: size })),
  all: () => collect(hooks.list()),
  update: (id, changes) => hooks.update(id, changes),
  delete: (id) => hooks.delete(id),
  secrets: (id) => hooks.secrets.get(id),
  addSecrets: (id, values) => hooks.secrets.create(id, values),
  updateSecrets: (id, values) => hooks.secrets.update(id, values),
  deleteSecrets: (id, names) => hooks.secrets.delete(id, names),
};

const calls = { 3: generation3, 4: generation4 }[major] ?? generation5;

async function answer(line) {
  const [call, ...given] = JSON.parse(line);
  try {
    return { value: (await calls[call](...given)) ?? null };
  } catch (error) {
    const code = error.errorCode ?? error.body?.errorCode ?? null;
    const message = error.body?.message ?? error.msg ?? error.message;
    return { error: { class: error.constructor.name, status: error.statusCode ?? null, code, message } };
  }
}

(async () => {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    process.stdout.write(`${JSON.stringify(await answer(line))}\n`);
  }
})();
