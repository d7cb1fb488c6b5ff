const crypto = require('node:crypto');
const querystring = require('querystring');

exports = module.exports = function (recipient, text, context, cb) {
  const { ACCOUNT, TOKEN } = context.webtask.secrets;
  const body = querystring.stringify({ To: recipient, Body: text });
  const authorization = 'Basic ' + Buffer.from(`${ACCOUNT}:${TOKEN}`).toString('base64');
  const signature = crypto.createHmac('sha1', TOKEN).update(body, 'utf8').digest('hex');
  cb(null, { body, length: Buffer.byteLength(body), scheme: authorization.slice(0, 5), signature });
};
