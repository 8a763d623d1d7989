// Telegram's servers: telegram-test-api, and beside it what Telegram does and the package does not.
// Started with a port. POST /block {token, chatId, silently}: the person blocks the bot; silently: no update says so.
'use strict';

const axios = require('axios');
const express = require('express');
const TelegramServer = require('telegram-test-api');

const telegram = new TelegramServer({ host: '127.0.0.1', port: Number(process.argv[2]), storeTimeout: 3600 });
const blocked = new Set();

// setWebhook's secret_token comes along with every update (Bot API, "setWebhook").
axios.interceptors.request.use((request) => {
  const webhook = Object.values(telegram.webhooks).find(({ url }) => url === request.url);
  if (webhook?.secret_token) request.headers['X-Telegram-Bot-Api-Secret-Token'] = webhook.secret_token;
  return request;
});

const front = express();
front.use(express.json());
front.post('/bot:token/sendMessage', (request, response, next) => {
  if (!blocked.has(String(request.body.chat_id))) return next();
  return response.status(403).json({ ok: false, error_code: 403, description: 'Forbidden: bot was blocked by the user' });
});
front.post('/block', async (request, response) => {
  const { token, chatId, silently } = request.body;
  blocked.add(String(chatId));
  if (silently) return response.json({ ok: true });
  const bot = { id: 666, is_bot: true, first_name: 'Bot' };
  const person = { id: chatId, is_bot: false, first_name: 'Person' };
  await axios.post(telegram.webhooks[token].url, {
    update_id: telegram.updateId++,
    my_chat_member: {
      chat: { id: chatId, type: 'private', first_name: 'Person' },
      from: person,
      date: Math.floor(Date.now() / 1000),
      old_chat_member: { user: bot, status: 'member' },
      new_chat_member: { user: bot, status: 'kicked', until_date: 0 },
    },
  });
  return response.json({ ok: true });
});
front.use(telegram.webServer);
telegram.webServer = front;
telegram.start();
