import { createOpenRouter } from "@openrouter/ai-sdk-provider";
import { Output, generateText, jsonSchema, stepCountIs, streamText, tool } from "ai";
import { KEY, PARAMETERS, PNG, SCHEMA, URL, failure, say, tell } from "./shared.mjs";

const provider = createOpenRouter({ apiKey: KEY, baseURL: `${URL}/api/v1` });
const get_weather = { description: "The weather.", inputSchema: jsonSchema(PARAMETERS) };
const calls = (made) => made.map((c) => [c.toolName, c.input]);

await tell(async (id) => {
  const model = provider(id);
  const ask = (prompt, more = {}) => ({ model, prompt, maxRetries: 0, maxOutputTokens: 4000, onError() {}, ...more });
  const whole = await generateText(ask(say("text")));
  let text = "", pieces = 0;
  for await (const piece of streamText(ask(say("text"))).textStream) { text += piece; pieces += 1; }
  const tools = { get_weather: tool(get_weather) };
  const called = await generateText(ask(say("tools"), { tools }));
  const runs = { get_weather: tool({ ...get_weather, execute: async () => "15 degrees" }) };
  const loop = streamText(ask(say("loop"), { tools: runs, stopWhen: stepCountIs(3) }));
  const looped = await loop.text;
  const steps = await loop.steps;
  const person = await generateText(ask(say("schema"), {
    output: Output.object({ schema: jsonSchema(SCHEMA) }),
  }));
  const providerOptions = { openrouter: { reasoning: { effort: "medium" } } };
  const thought = streamText(ask(say("thinking"), { providerOptions }));
  const content = [{ type: "text", text: say("image") }, { type: "image", image: PNG, mediaType: "image/png" }];
  const seen = await generateText(ask(undefined, { messages: [{ role: "user", content }] }));
  const late = await failure(async () => {
    for await (const part of streamText(ask(say("late"))).fullStream) {
      if (part.type === "error") throw part.error instanceof Error ? part.error : new Error(JSON.stringify(part.error));
    }
  });
  return {
    text: whole.text,
    usage: [whole.usage.inputTokens, whole.usage.outputTokens],
    streamed: text,
    pieces,
    calls: calls(called.toolCalls),
    streamed_calls: calls(steps[0].toolCalls),
    loop: looped,
    person: person.output,
    thought: await thought.reasoningText,
    image: seen.text,
    late,
    refused: await failure(() => generateText(ask(say("refused")))),
  };
});
