var request = require('request@2.88.2');

module.exports = function (recipient, text, context, cb) {
  var secrets = context.webtask.secrets;
  request.post({
    url: secrets.GATEWAY + '/messages',
    auth: { bearer: secrets.TOKEN },
    json: { to: recipient, body: text },
  }, function (error, response, body) {
    if (error) return cb(error);
    if (response.statusCode !== 201) return cb(new SendPhoneMessageError('status ' + response.statusCode));
    cb(null, { message: body.id });
  });
};
