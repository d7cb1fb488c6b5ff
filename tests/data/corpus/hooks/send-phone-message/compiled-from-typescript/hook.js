"use strict";
Object.defineProperty(exports, "__esModule", { value: true });
const mask = (recipient) => recipient.replace(/\d(?=\d{4})/g, '*');
const deliver = async (recipient, text, context, cb) => {
    var _a, _b;
    const brand = (_b = (_a = context.client) === null || _a === void 0 ? void 0 : _a.client_metadata) === null || _b === void 0 ? void 0 : _b.brand;
    console.log(`to ${mask(recipient)}`);
    cb(null, { text: brand ? `${brand}: ${text}` : text });
};
exports.default = deliver;
