// SPDX-License-Identifier: Apache-2.0
// server.js MODEL PORT_FILE - llama.cpp as an embedding server: OpenAI's /v1/embeddings with the
// hidden state of the last token, as llama-server --embedding --pooling last gives it with
// "embd_normalize": -1. Ends with its standard input.
import {createServer} from "node:http";
import {writeFileSync} from "node:fs";
import {getLlama, LlamaLogLevel} from "node-llama-cpp";

const [model_path, port_file] = process.argv.slice(2);
const llama = await getLlama({gpu: false, build: "never", skipDownload: true, maxThreads: 1,
                              logLevel: LlamaLogLevel.warn});
const model = await llama.loadModel({modelPath: model_path});
const context = await model.createEmbeddingContext({contextSize: 256, batchSize: 256, threads: 1});

function normalized(vector, kind) {
    if (kind === -1)
        return vector;
    const length = Math.hypot(...vector);
    return vector.map((x) => x / length);
}

function encoded(vector, format) {
    return format === "base64" ? Buffer.from(new Float32Array(vector).buffer).toString("base64")
        : vector;
}

async function answer(request) {
    const data = [];
    for (const [index, text] of request.input.entries()) {
        const {vector} = await context.getEmbeddingFor(text);
        data.push({object: "embedding", index, embedding: encoded(
            normalized([...vector], request.embd_normalize), request.encoding_format)});
    }
    return {object: "list", data, model: request.model ?? "tiny",
            usage: {prompt_tokens: 0, total_tokens: 0}};
}

const server = createServer(async (request, response) => {
    let body = "", status = 200, reply;
    for await (const chunk of request.setEncoding("utf8"))
        body += chunk;
    try {
        reply = await answer(JSON.parse(body));
    } catch (error) {
        [status, reply] = [400, {error: {code: 400, message: error.message,
                                         type: "invalid_request_error"}}];
    }
    response.writeHead(status, {"Content-Type": "application/json"});
    response.end(JSON.stringify(reply));
});
server.listen(0, "127.0.0.1", () => writeFileSync(port_file, String(server.address().port)));
process.stdin.on("end", () => process.exit(0)).resume();
