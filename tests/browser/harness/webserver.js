/** A web server in front of the daemon, as packaging/proxy/ sets it up: with TLS, a login and a path of its own. */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import net from "node:net";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { ended, scratch, start } from "./scratch.js";
import { until } from "./until.js";

const SHIPPED = path.join(path.dirname(fileURLToPath(import.meta.url)), "../../../packaging/proxy");
const PLACES = [...(process.env.PATH ?? "").split(":"), "/usr/sbin", process.env.HOSTCAST_TEST_SERVERS ?? ""];

/** The name that the shipped files are for; the browser finds it on this host. */
export const NAME = "monitor.example.com";
export const LOGIN = { username: "operator", password: "not a secret" };
/** What the daemon needs, as it is shipped, but for where it listens. */
export const SETTINGS = readFileSync(path.join(SHIPPED, "hostcast.toml"), "utf8")
  .split("\n")
  .filter((line) => line && !/^(#|listen =|\[server\]$)/.test(line))
  .map((line) => `${line}\n`)
  .join("");

/** @typedef {{ keepsPrefix?: boolean, hasLogin?: boolean }} Manner */

/** @param {string} name  of a program; null where this host has none */
export function program(name) {
  return PLACES.filter(Boolean).map((place) => path.join(place, name)).find(existsSync) ?? null;
}

export class WebServer {
  /** Where the dashboard is. @type {string} */
  url;
  #child;
  #reload;

  /**
   * @param {string} folder
   * @param {number} port
   * @param {[string, string[]]} command
   * @param {(child: import("node:child_process").ChildProcess) => void} reload
   */
  constructor(folder, port, [file, args], reload) {
    this.url = `https://${NAME}:${port}/hostcast/`;
    this.#child = start(file, args, { env: { HOME: folder } });
    this.#reload = reload;
  }

  /**
   * nginx, which gives up whoever is silent for this long.
   * @param {number} upstream  the daemon's port
   * @param {string} silence
   * @param {Manner} [manner]
   */
  static async nginx(upstream, silence, { keepsPrefix = false, hasLogin = true } = {}) {
    const { folder, port, certificate, key } = await prepare("nginx");
    const users = path.join(folder, "users");
    writeFileSync(users, `${LOGIN.username}:{PLAIN}${LOGIN.password}\n`);
    const site = adapt(readFileSync(path.join(SHIPPED, "nginx.conf"), "utf8"), [
      ["listen 443 ssl", `listen 127.0.0.1:${port} ssl`],
      ["/etc/ssl/certs/monitor.example.com.pem", certificate],
      ["/etc/ssl/private/monitor.example.com.key", key],
      ["/etc/nginx/hostcast.htpasswd", users],
      ["http://127.0.0.1:7117/", `http://127.0.0.1:${upstream}${keepsPrefix ? "" : "/"}`],
      ["proxy_read_timeout 60s", `proxy_read_timeout ${silence}`],
      ...(hasLogin ? [] : without('auth_basic "hostcast";', "auth_basic_user_file", 'proxy_set_header Authorization "";')),
    ]);
    const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
      .map((kind) => `${kind}_temp_path ${folder}/${kind};`)
      .join("\n");
    // Its workers would be another user's, who cannot see this folder.
    const user = process.getuid?.() === 0 ? "user root;" : "";
    const file = path.join(folder, "main.conf");
    writeFileSync(
      file,
      `daemon off; pid ${folder}/pid; error_log ${folder}/log; ${user}\nevents {}\n` +
        `http {\naccess_log off;\n${temporary}\n${site}\n}\n`,
    );
    const nginx = program("nginx");
    assert.ok(nginx);
    const server = new WebServer(folder, port, [nginx, ["-c", file, "-e", `${folder}/log`]], (child) => child.kill("SIGHUP"));
    await server.#listens(port);
    return server;
  }

  /**
   * @param {number} upstream  the daemon's port
   * @param {Manner} [manner]
   */
  static async caddy(upstream, { keepsPrefix = false, hasLogin = true } = {}) {
    const { folder, port, certificate, key } = await prepare("caddy");
    const caddy = program("caddy");
    assert.ok(caddy);
    const hash = execFileSync(caddy, ["hash-password", "--plaintext", LOGIN.password], { encoding: "utf8" }).trim();
    const site = adapt(readFileSync(path.join(SHIPPED, "Caddyfile"), "utf8"), [
      [`\n${NAME} {`, `\nhttps://${NAME}:${port} {\n\ttls ${certificate} ${key}\n`],
      ["operator HASH", `${LOGIN.username} ${hash}`],
      ["reverse_proxy 127.0.0.1:7117", `reverse_proxy 127.0.0.1:${upstream}`],
      ...(keepsPrefix ? /** @type {[string, string][]} */ ([["handle_path /hostcast/*", "handle /hostcast/*"]]) : []),
      // Its block is one of comments then.
      ...(hasLogin ? [] : without("basicauth {", `${LOGIN.username} ${hash}\n\t}`, "header_up -Authorization")),
    ]);
    const file = path.join(folder, "Caddyfile");
    const admin = `unix/${folder}/admin`;
    writeFileSync(
      file,
      `{\n\tadmin ${admin}\n\tauto_https off\n\tdefault_bind 127.0.0.1\n\tservers {\n\t\ttimeouts {\n\t\t\tidle 2s\n\t\t}\n\t}\n}\n${site}`,
    );
    const again = ["reload", "--config", file, "--adapter", "caddyfile", "--address", admin, "--force"];
    const server = new WebServer(folder, port, [caddy, ["run", "--config", file, "--adapter", "caddyfile"]], () => {
      execFileSync(caddy, again, { env: { HOME: folder }, stdio: "pipe" });
    });
    await server.#listens(port);
    return server;
  }

  /** Has it read its configuration again, as an operator would. */
  reload() {
    this.#reload(this.#child);
  }

  async close() {
    this.#child.kill("SIGKILL");
    await ended(this.#child);
  }

  /** @param {number} port */
  #listens(port) {
    return until("the web server to listen", () => {
      assert.equal(this.#child.exitCode, null, "the web server has ended");
      return new Promise((resolve) => {
        const socket = net.connect(port, "127.0.0.1", () => {
          socket.destroy();
          resolve(true);
        });
        socket.on("error", () => resolve(false));
      });
    });
  }
}

/**
 * Replaces what is different here, and nothing silently.
 * @param {string} text
 * @param {[string, string][]} changes
 */
function adapt(text, changes) {
  return changes.reduce((changed, [from, to]) => {
    assert.ok(changed.includes(from), `the shipped file has no ${from}`);
    return changed.replaceAll(from, () => to);
  }, text);
}

/**
 * Has these directives be no more.
 * @param {string[]} directives  each as it begins
 * @returns {[string, string][]}
 */
function without(...directives) {
  return directives.map((directive) => [directive, `# ${directive.replaceAll("\n", "\n# ")}`]);
}

let count = 0;

/** @param {string} name */
async function prepare(name) {
  const folder = path.join(scratch, `${name}-${(count += 1)}`);
  mkdirSync(folder);
  const [certificate, key] = ["certificate.pem", "key.pem"].map((file) => path.join(folder, file));
  execFileSync(
    "openssl",
    [
      ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"],
      ...["-subj", `/CN=${NAME}`, "-addext", `subjectAltName=DNS:${NAME}`, "-keyout", key, "-out", certificate],
    ],
    { stdio: "pipe" },
  );
  return { folder, port: await freePort(), certificate, key };
}

/** @returns {Promise<number>} */
export function freePort() {
  return new Promise((resolve) => {
    const server = net.createServer().listen(0, "127.0.0.1", () => {
      const { port } = /** @type {net.AddressInfo} */ (server.address());
      server.close(() => resolve(port));
    });
  });
}
