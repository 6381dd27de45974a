"""Google's Gemini API as an upstream dialect, at Google AI Studio and at Vertex AI.

`request` puts a call into the API's words, with `contents` for the conversation, `media` for
what is not text in it, `tools`, `formats` and `thinking` for what the model is to do; `families`
knows how generations of models differ. `answers` reads whole answers and streams, of which
`parts` is what they are made of and `sources` what they cite; `faults` says what a refusal means,
`dialect` joins them, and `vertex` has the ways to the models of other makers at Vertex AI.

Source of the wire's facts: ai.google.dev/api/generate-content and the guides beside it
(thinking, thought-signatures, function-calling, structured-output), Vertex AI's reference of the
same method, and the types of the official SDK `google-genai` 3.4.0.
"""
