class QuotaError extends PreUserRegistrationError {
  constructor(used) {
    super(`quota of ${used} used up`, 'No seats are left.');
    this.used = used;
  }
}

module.exports = (user, context, cb) => cb(new QuotaError(50));
