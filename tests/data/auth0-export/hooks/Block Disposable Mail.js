/**
 * @param {object} user - what the person typed
 * @param {object} context - connection and request
 * @param {function} cb - (error, response)
 */
module.exports = function (user, context, cb) {
  const blocked = context.webtask.secrets.BLOCKED_DOMAINS.split(",");
  const domain = user.email.split("@").pop().toLowerCase();

  if (blocked.includes(domain)) {
    console.log("refused an address of", domain);
    return cb(new PreUserRegistrationError("disposable address", "Please use another address."));
  }
  cb(null, { user: { app_metadata: { mail_domain: domain } } });
};
