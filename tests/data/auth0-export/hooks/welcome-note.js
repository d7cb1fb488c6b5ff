const https = require("https");

module.exports = function (user, context, cb) {
  const request = https.request("https://crm.shop.example/v1/contacts", {
    method: "POST",
    headers: {
      authorization: `Bearer ${context.webtask.secrets.CRM_TOKEN}`,
      "content-type": "application/json",
    },
  });
  request.on("response", (response) => {
    response.resume();
    cb(response.statusCode < 300 ? null : new Error(`CRM answered ${response.statusCode}`));
  });
  request.on("error", cb);
  request.end(JSON.stringify({ email: user.email, region: process.env.REGION }));
};
