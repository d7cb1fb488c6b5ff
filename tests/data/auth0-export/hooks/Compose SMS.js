const request = require("request@2.88.0");

module.exports = function (recipient, text, context, cb) {
  if (recipient.startsWith("+1900")) {
    return cb(new SendPhoneMessageError("premium number", "This number cannot be used."));
  }
  request.post(
    { url: `https://${context.webtask.secrets.SMS_HOST}/send`, json: { recipient, text } },
    (error) => cb(error, {})
  );
};
