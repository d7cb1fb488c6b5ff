(function () {
  var subject = 'Your password was changed';

  function greeting(user) {
    return 'Hello ' + (user.username || user.email) + ',';
  }

  module.exports = function (user, context, cb) {
    var at = new Date(user.last_password_reset);
    if (isNaN(at)) return cb(new Error('not a date: ' + user.last_password_reset));
    cb(null, { subject: subject, body: greeting(user) + ' at ' + at.toUTCString() });
  };
})();
