// What the official Node client sees of a gateway: prints one JSON object of findings.
import OpenAI from "openai";

const client = new OpenAI({
  baseURL: process.env.GATEWAY_BASE,
  apiKey: process.env.GATEWAY_KEY,
  defaultHeaders: { "HTTP-Referer": "https://app.example", "X-Title": "App" },
});
const messages = [{ role: "user", content: "hello there" }];
const found = {};

const answer = await client.chat.completions.create({ model: "demo/parrot", messages });
found.chat = answer.choices[0].message.content;
found.cost = answer.usage.cost;
found.provider = typeof answer.provider;

found.stream = "";
const stream = await client.chat.completions.create({ model: "demo/parrot", messages, stream: true });
for await (const chunk of stream) {
  found.stream += chunk.choices[0].delta.content ?? "";
  if (chunk.usage) found.streamTokens = chunk.usage.total_tokens;
}

found.models = [];
for await (const model of client.models.list()) found.models.push(model.id);

const fallback = await client.chat.completions.create({
  model: process.env.BROKEN_MODEL,
  models: ["demo/parrot"],
  provider: { only: ["bad", "demo-swift"] },
  messages,
});
found.fallback = fallback.model;

const failure = async (body, options) => {
  try {
    await client.chat.completions.create({ messages, ...body }, options);
  } catch (error) {
    return { kind: error.constructor.name, status: error.status, text: error.message };
  }
  return null;
};
found.badModel = await failure({ model: "no/such-model" });
found.broken = await failure({ model: process.env.BROKEN_MODEL, provider: { only: ["bad"] } });

const cut = await client.chat.completions.create({
  model: process.env.CUT_MODEL,
  provider: { only: ["bad"] },
  messages,
  stream: true,
});
found.cutText = "";
try {
  for await (const chunk of cut) found.cutText += chunk.choices[0].delta.content ?? "";
} catch (error) {
  found.cutError = error.constructor.name;
}

const tools = await client.chat.completions.create({
  model: "demo/scholar",
  messages: [{ role: "user", content: "What is the weather in Paris?" }],
  tools: [
    {
      type: "function",
      function: {
        name: "get_weather",
        parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
      },
    },
  ],
});
found.tool = tools.choices[0].message.tool_calls[0].function.name;

console.log(JSON.stringify(found));
