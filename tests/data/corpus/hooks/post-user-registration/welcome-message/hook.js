var moment = require('moment@2.29.4');
require('moment@2.29.4/locale/de');

module.exports = function (user, context, cb) {
  var locale = context.requestLanguage.split('-')[0];
  var until = moment.utc('2026-01-01').locale(locale).add(30, 'days').format('LL');
  console.log('Welcome, ' + user.username + '! Your trial ends on ' + until + '.');
  cb();
};
