const axios = require('axios@1.7.9');

module.exports = async function (recipient, text, context, cb) {
  const { GATEWAY, TOKEN } = context.webtask.secrets;
  try {
    const { data } = await axios.post(`${GATEWAY}/messages`, { to: recipient, body: text }, {
      headers: { Authorization: `Bearer ${TOKEN}` },
    });
    cb(null, { message: data.id });
  } catch (error) {
    if (!error.response) return cb(error);
    cb(new SendPhoneMessageError(`the gateway answered ${error.response.status}`, 'Try again later.'));
  }
};
