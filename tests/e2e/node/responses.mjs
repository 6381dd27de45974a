// What the official Node client sees of the Responses API: prints one JSON object of findings.
import OpenAI from "openai";

const client = new OpenAI({ baseURL: process.env.GATEWAY_BASE, apiKey: process.env.GATEWAY_KEY, maxRetries: 0 });
const found = {};

const answer = await client.responses.create({ model: "demo/parrot", input: "hello there" });
found.text = answer.output_text;
found.cost = answer.usage.cost;

const stream = client.responses.stream({ model: "demo/parrot", input: "hello there" });
found.streamed = "";
stream.on("response.output_text.delta", (event) => (found.streamed += event.delta));
found.final = (await stream.finalResponse()).output_text;

const tools = await client.responses.create({
  model: "demo/scholar",
  input: "What is the weather in Paris?",
  tools: [
    {
      type: "function",
      name: "get_weather",
      strict: false,
      parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
    },
  ],
});
found.tool = tools.output[0].name;

try {
  await client.responses.create({ model: "demo/parrot", input: "x", store: true });
} catch (error) {
  found.refused = { kind: error.constructor.name, text: error.message };
}

const cut = await client.responses.create({ model: process.env.CUT_MODEL, provider: { only: ["bad"] }, input: "x", stream: true });
for await (const event of cut) found.last = event.type;

console.log(JSON.stringify(found));
