class Policy {
  constructor(name) { this.name = name; }

  check() { throw new Error('not written'); }

  get label() { return `policy ${this.name}`; }
}

class MinimumLength extends Policy {
  #shortest;

  constructor(shortest) {
    super('minimum-length');
    this.#shortest = shortest;
  }

  check(user) { return user.username?.length >= this.#shortest ? null : this.label; }
}

const policies = [new MinimumLength(4)];

module.exports = (user, context, cb) => {
  const broken = policies.map((policy) => policy.check(user)).filter((label) => label !== null);
  cb(broken.length > 0 ? new PreUserRegistrationError(broken.join(', '), 'Choose a longer name.') : null);
};
