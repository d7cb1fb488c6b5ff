const semver = require("semver");

module.exports = function (client, scope, audience, context, cb) {
  const metadata = client.metadata || {};
  const response = { scope: scope };
  response["https://shop.example/plan"] = metadata.plan || "free";
  response["https://shop.example/legacy"] = semver.lt(metadata.sdk || "1.0.0", "2.0.0");
  cb(null, response);
};
