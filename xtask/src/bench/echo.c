// Sends back what comes first on a TCP connection to port 7, and each datagram to port 7.
#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

int main(void) {
    struct sockaddr_in at = {AF_INET, htons(7), {INADDR_ANY}};
    int tcp = socket(AF_INET, SOCK_STREAM, 0), udp = socket(AF_INET, SOCK_DGRAM, 0);
    if (bind(tcp, (void *)&at, sizeof at) || listen(tcp, 8) || bind(udp, (void *)&at, sizeof at)) return 1;
    puts("listening");
    fflush(stdout);
    struct pollfd ready[] = {{tcp, POLLIN}, {udp, POLLIN}};
    char data[1500];
    for (;;) {
        socklen_t size = sizeof at;
        poll(ready, 2, -1);
        if (ready[0].revents) {
            int client = accept(tcp, 0, 0);
            long n = read(client, data, sizeof data);
            if (n > 0) write(client, data, n);
            close(client);
        }
        if (ready[1].revents) {
            long n = recvfrom(udp, data, sizeof data, 0, (void *)&at, &size);
            if (n > 0) sendto(udp, data, n, 0, (void *)&at, size);
        }
    }
}
