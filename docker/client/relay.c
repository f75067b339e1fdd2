/*
 * What runs in the managed Docker plugin: everything that dockerd writes goes to the agent of the host, and back. The
 * agent does the work; a managed plugin is only how Swarm wants a driver to be installed. One process a connection,
 * since dockerd keeps few and the agent may be away while one of them waits.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static int endpoint(const char *path, struct sockaddr_un *address) {
  memset(address, 0, sizeof *address);
  address->sun_family = AF_UNIX;
  if (strlen(path) >= sizeof address->sun_path) return -1;
  strcpy(address->sun_path, path);
  return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

static int write_all(int to, const char *data, ssize_t length) {
  while (length > 0) {
    ssize_t done = write(to, data, (size_t)length);
    if (done < 0 && errno == EINTR) continue;
    if (done <= 0) return -1;
    data += done;
    length -= done;
  }
  return 0;
}

/* Until both directions have ended; an end of one is passed on as such. */
static void relay(int client) {
  struct sockaddr_un address;
  int agent = endpoint(AGENT_SOCKET, &address);
  if (agent < 0 || connect(agent, (struct sockaddr *)&address, sizeof address) != 0) _exit(1);
  struct pollfd ends[2] = {{client, POLLIN, 0}, {agent, POLLIN, 0}};
  static char buffer[65536];
  while (ends[0].fd >= 0 || ends[1].fd >= 0) {
    if (poll(ends, 2, -1) < 0) {
      if (errno == EINTR) continue;
      break;
    }
    for (int i = 0; i < 2; i++) {
      if (ends[i].fd < 0 || ends[i].revents == 0) continue;
      int to = i == 0 ? agent : client;
      ssize_t length = read(ends[i].fd, buffer, sizeof buffer);
      if (length < 0 && errno == EINTR) continue;
      if (length <= 0) {
        shutdown(to, SHUT_WR);
        ends[i].fd = -1;
        if (length < 0 || i == 1) _exit(0);
      } else if (write_all(to, buffer, length) != 0) {
        _exit(0);
      }
    }
  }
  _exit(0);
}

int main(void) {
  struct sockaddr_un address;
  signal(SIGCHLD, SIG_IGN);
  signal(SIGPIPE, SIG_IGN);
  int server = endpoint(PLUGIN_SOCKET, &address);
  unlink(PLUGIN_SOCKET);
  umask(0177);
  if (server < 0 || bind(server, (struct sockaddr *)&address, sizeof address) != 0 || listen(server, 128) != 0) {
    perror(PLUGIN_SOCKET);
    return 1;
  }
  for (;;) {
    int client = accept4(server, NULL, NULL, SOCK_CLOEXEC);
    if (client < 0) {
      if (errno == EINTR || errno == ECONNABORTED) continue;
      perror("accept");
      return 1;
    }
    pid_t child = fork();
    if (child == 0) {
      close(server);
      relay(client);
    }
    if (child < 0) perror("fork");
    close(client);
  }
}
