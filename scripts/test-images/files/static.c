/* An HTTP server without a shell, a library or a file beside it. */

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons(8080),
        .sin_addr.s_addr = htonl(INADDR_ANY),
    };
    int on = 1;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listener < 0
        || setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0
        || bind(listener, (struct sockaddr *)&address, sizeof address) < 0
        || listen(listener, 16) < 0) {
        perror("port 8080");
        return 1;
    }
    puts("listening on port 8080");
    fflush(stdout);
    for (;;) {
        char request[4096];
        char body[256];
        int client = accept(listener, NULL, NULL);
        if (client < 0 || read(client, request, sizeof request) < 0) {
            perror("client");
            return 1;
        }
        int length = snprintf(body, sizeof body, "%s as %d:%d, PID %d\n",
                              argc > 1 ? argv[1] : "hello", getuid(), getgid(), getpid());
        dprintf(client, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s",
                length, body);
        close(client);
    }
}
