/* pipe.exe NAME: what comes on standard input goes to the named pipe, what the pipe answers goes to standard output. */
#include <windows.h>
#include <stdio.h>

int main(int count, char **arguments)
{
    char piece[4096];
    DWORD length, done;
    HANDLE in = GetStdHandle(STD_INPUT_HANDLE), out = GetStdHandle(STD_OUTPUT_HANDLE);
    if (count != 2) {
        fprintf(stderr, "usage: pipe NAME\n");
        return 2;
    }
    HANDLE pipe = CreateFileA(arguments[1], GENERIC_READ | GENERIC_WRITE, 0, NULL, OPEN_EXISTING, 0, NULL);
    if (pipe == INVALID_HANDLE_VALUE) {
        fprintf(stderr, "open %s: error %lu\n", arguments[1], GetLastError());
        return 1;
    }
    while (ReadFile(in, piece, sizeof piece, &length, NULL) && length)
        if (!WriteFile(pipe, piece, length, &done, NULL)) return 1;
    while (ReadFile(pipe, piece, sizeof piece, &length, NULL) && length)
        if (!WriteFile(out, piece, length, &done, NULL)) return 1;
    return GetLastError() == ERROR_BROKEN_PIPE ? 0 : 1;
}
