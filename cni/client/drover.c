/*
 * The file that a container runtime executes as a CNI plugin. It carries the runtime's environment and standard input
 * to the agent's socket as one form-encoded request, and the answer back: the body to standard output, a status other
 * than 200 as exit status 1. It decides nothing itself but what must be decided without an agent: VERSION is answered,
 * DEL is promised to the journal (an empty file whose name says everything, so that it is there whole or not at all),
 * everything else fails with an error that says to try again. Nothing it is given becomes part of a command, and only
 * names of the specification's own alphabet become part of a path.
 *
 * Compiled by `drover install cni` with SOCKET_PATH, JOURNAL_PATH and DROVER_VERSION.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define LONGEST_INPUT (1024 * 1024)
#define LONGEST_ANSWER (16 * 1024 * 1024)
/* Longer than the agent takes for anything: it answers within its own deadline. */
#define ANSWER_SECONDS 150
#define VERSIONS "[\"0.1.0\",\"0.2.0\",\"0.3.0\",\"0.3.1\",\"0.4.0\",\"1.0.0\",\"1.1.0\"]"

/* What the agent is told of the environment. */
static const char *const variables[] = {
    "CNI_COMMAND", "CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME", "CNI_ARGS", "CNI_PATH", "CNI_NETNS_OVERRIDE",
};

struct buffer {
  char *bytes;
  size_t length, capacity;
};

static _Noreturn void fail(int code, const char *message, const char *details) {
  printf("{\"cniVersion\":\"1.0.0\",\"code\":%d,\"msg\":\"%s\",\"details\":\"%s\"}\n", code, message, details);
  exit(1);
}

static void reserve(struct buffer *buffer, size_t more) {
  if (buffer->capacity - buffer->length >= more) return;
  size_t capacity = buffer->capacity * 2 + more + 4096;
  char *bytes = realloc(buffer->bytes, capacity);
  if (bytes == NULL) fail(11, "There is not enough memory.", "");
  buffer->bytes = bytes;
  buffer->capacity = capacity;
}

static void append(struct buffer *buffer, const char *text) {
  size_t length = strlen(text);
  reserve(buffer, length);
  memcpy(buffer->bytes + buffer->length, text, length);
  buffer->length += length;
}

static int is_plain(unsigned char byte) {
  return (byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z') ||
         byte == '-' || byte == '_' || byte == '.' || byte == '~';
}

/* Every byte that is not a letter, a digit or -_.~ as %XX. */
static void append_encoded(struct buffer *buffer, const char *bytes, size_t length) {
  static const char digits[] = "0123456789ABCDEF";
  reserve(buffer, length * 3);
  char *out = buffer->bytes + buffer->length;
  for (size_t i = 0; i < length; i++) {
    unsigned char byte = (unsigned char)bytes[i];
    if (is_plain(byte)) *out++ = (char)byte;
    else {
      *out++ = '%';
      *out++ = digits[byte >> 4];
      *out++ = digits[byte & 15];
    }
  }
  buffer->length = (size_t)(out - buffer->bytes);
}

/* Reads a descriptor to its end or to the bound; 0 if it ended within the bound. */
static int read_all(int file, struct buffer *buffer, size_t bound, long until_ms) {
  for (;;) {
    reserve(buffer, 65536);
    if (until_ms >= 0) {
      struct timespec now;
      clock_gettime(CLOCK_MONOTONIC, &now);
      long left = until_ms - (now.tv_sec * 1000 + now.tv_nsec / 1000000);
      struct pollfd poller = {.fd = file, .events = POLLIN};
      int ready = left <= 0 ? 0 : poll(&poller, 1, (int)left);
      if (ready < 0 && errno == EINTR) continue;
      if (ready <= 0) return -1;
    }
    ssize_t got = read(file, buffer->bytes + buffer->length, buffer->capacity - buffer->length);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return -1;
    if (got == 0) return 0;
    buffer->length += (size_t)got;
    if (buffer->length > bound) return 1;
  }
}

static int write_all(int file, const char *bytes, size_t length) {
  while (length > 0) {
    ssize_t put = write(file, bytes, length);
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) return -1;
    bytes += put;
    length -= (size_t)put;
  }
  return 0;
}

/* The agent's answer; the length of its body in *length, its status in *status. NULL if there is none, or not whole. */
static const char *ask(const struct buffer *form, size_t *length, int *status) {
  static struct buffer answer;
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  _Static_assert(sizeof SOCKET_PATH <= sizeof address.sun_path, "the path of the socket is too long");
  memcpy(address.sun_path, SOCKET_PATH, sizeof SOCKET_PATH);
  int file = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (file < 0 || connect(file, (struct sockaddr *)&address, sizeof address) != 0) return NULL;
  struct timeval patience = {.tv_sec = ANSWER_SECONDS};
  setsockopt(file, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  char head[256];
  int size = snprintf(head, sizeof head,
                      "POST /cni HTTP/1.0\r\nHost: drover\r\nContent-Type: application/x-www-form-urlencoded\r\n"
                      "Content-Length: %zu\r\n\r\n",
                      form->length);
  if (write_all(file, head, (size_t)size) != 0 || write_all(file, form->bytes, form->length) != 0) return NULL;
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  long until_ms = now.tv_sec * 1000 + now.tv_nsec / 1000000 + ANSWER_SECONDS * 1000L;
  if (read_all(file, &answer, LONGEST_ANSWER, until_ms) != 0) return NULL;
  reserve(&answer, 1);
  answer.bytes[answer.length] = 0;
  char *body = strstr(answer.bytes, "\r\n\r\n");
  if (body == NULL || sscanf(answer.bytes, "HTTP/1.%*1d %3d", status) != 1) return NULL;
  *body = 0;
  body += 4;
  *length = answer.length - (size_t)(body - answer.bytes);
  char *announced = strcasestr(answer.bytes, "\r\ncontent-length:");
  if (announced == NULL || strtoul(announced + 17, NULL, 10) != *length) return NULL;
  return body;
}

/* A name of the specification's alphabet, which is also safe as part of a file's name. */
static int is_name(const char *text, size_t longest) {
  size_t length = strlen(text);
  if (length == 0 || length > longest || text[0] == '.' || text[0] == '-') return 0;
  for (size_t i = 0; i < length; i++) {
    unsigned char byte = (unsigned char)text[i];
    if (!is_plain(byte) || byte == '~') return 0;
  }
  return 1;
}

/* DEL without an agent: an empty file <container>:<interface>[:ipam] which the agent carries out when it is back. */
static void promise(const char *container, const char *interface, int is_ipam) {
  char name[256];
  if (!is_name(container, 200)) fail(4, "CNI_CONTAINERID is missing or is no container id.", "");
  if (!is_name(interface, 15)) fail(4, "CNI_IFNAME is missing or is no interface name.", "");
  snprintf(name, sizeof name, "%s:%s%s", container, interface, is_ipam ? ":ipam" : "");
  char folder[] = JOURNAL_PATH;
  for (char *slash = strchr(folder + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
    *slash = 0;
    mkdir(folder, 0700);
    *slash = '/';
  }
  mkdir(folder, 0700);
  int directory = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  int file = directory < 0 ? -1 : openat(directory, name, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (file < 0 || fsync(directory) != 0)
    fail(5, "The agent is not running, and its journal can't be written.", strerror(errno));
}

static int explain(void) {
  fputs("drover " DROVER_VERSION ": a CNI plugin, specification 0.1.0 to 1.1.0.\n"
        "A container runtime executes it and tells it what to do by CNI_COMMAND (ADD, DEL, CHECK, GC, STATUS, VERSION),\n"
        "the other CNI_ variables, and a network configuration on standard input. The work is done by the agent of this\n"
        "node behind " SOCKET_PATH ". 'drover install cni --help' says how to set it up.\n",
        stderr);
  return 0;
}

int main(int count, char **words) {
  const char *command = getenv("CNI_COMMAND");
  if (count > 1 && (strcmp(words[1], "-h") == 0 || strcmp(words[1], "--help") == 0)) return explain();
  if (count > 1 && (strcmp(words[1], "-v") == 0 || strcmp(words[1], "--version") == 0)) return explain();
  if (command == NULL || *command == 0) {
    explain();
    fail(4, "CNI_COMMAND is missing.", "A container runtime sets it.");
  }
  const char *slash = strrchr(words[0], '/');
  int is_ipam = strcmp(slash == NULL ? words[0] : slash + 1, "drover-ipam") == 0;
  signal(SIGPIPE, SIG_IGN);

  struct buffer input = {0}, form = {0};
  int outcome = read_all(STDIN_FILENO, &input, LONGEST_INPUT, -1);
  if (outcome < 0) fail(5, "Standard input can't be read.", strerror(errno));
  if (outcome > 0) fail(6, "The network configuration is longer than 1 MiB.", "");
  append(&form, is_ipam ? "plugin=drover-ipam" : "plugin=drover");
  for (size_t i = 0; i < sizeof variables / sizeof *variables; i++) {
    const char *value = getenv(variables[i]);
    if (value == NULL) continue;
    append(&form, "&");
    append(&form, variables[i]);
    append(&form, "=");
    append_encoded(&form, value, strlen(value));
  }
  append(&form, "&stdin=");
  append_encoded(&form, input.bytes, input.length);

  size_t length = 0;
  int status = 0;
  const char *answer = ask(&form, &length, &status);
  if (answer != NULL) {
    if (write_all(STDOUT_FILENO, answer, length) != 0) return 1;
    return status == 200 ? 0 : 1;
  }
  if (strcmp(command, "VERSION") == 0) {
    puts("{\"cniVersion\":\"1.1.0\",\"supportedVersions\":" VERSIONS "}");
    return 0;
  }
  if (strcmp(command, "DEL") == 0) {
    const char *container = getenv("CNI_CONTAINERID"), *interface = getenv("CNI_IFNAME");
    promise(container == NULL ? "" : container, interface == NULL ? "" : interface, is_ipam);
    return 0;
  }
  fail(strcmp(command, "STATUS") == 0 ? 51 : 11, "The Drover agent of this node does not answer.",
       "Nobody answers on " SOCKET_PATH ". Start the agent: systemctl start drover");
}
