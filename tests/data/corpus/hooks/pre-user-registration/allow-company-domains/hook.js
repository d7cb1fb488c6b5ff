module.exports = function (user, context, cb) {
  var allowed = ['acme.example', 'acme.test'];
  var domain = user.email.split('@').pop().toLowerCase();
  if (allowed.indexOf(domain) === -1) {
    return cb(new PreUserRegistrationError('domain ' + domain + ' is not allowed', 'Please use your company address.'));
  }
  cb(null, { user: user });
};
