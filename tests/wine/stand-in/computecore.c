/*
 * A stand-in for the Host Compute Service: as much of computecore.dll as Cove uses, with machines that do what a word in
 * their kernel arguments says (cove.conformance=WORD, stand-in=WORD), or else the environment variable COVE_STAND_IN:
 *
 *   refuse    no right to have machines        document  creation fails with an error document
 *   and the behaviours of app/machine's conformance suite; "lost": the service goes away
 *
 * It has what makes the real one difficult: callbacks come from threads of their own, later than the call that caused them,
 * and closing a machine waits for them. What it was called with is appended to the file that COVE_STAND_IN_LOG names.
 */
#include <winsock2.h>
#include <windows.h>
#include <stdio.h>
#include <string.h>

#define EXPORT __declspec(dllexport)
#define REFUSED ((HRESULT)0x80070005)
#define INVALID_JSON ((HRESULT)0x8037010D)
#define NOT_FOUND ((HRESULT)0x8037010E)
#define PORT 41024

typedef struct { int type; const wchar_t *data; void *operation; } event;
typedef void(WINAPI *callback)(const event *, void *);
typedef struct { HRESULT result; const wchar_t *document; } operation;

typedef struct {
    callback call;
    void *context;
    char word[32];
    wchar_t pipe[200];
    HANDLE life;    /* set: it ends */
    HANDLE thread;
} machine;

static void note(const char *what)
{
    char path[MAX_PATH];
    if (!GetEnvironmentVariableA("COVE_STAND_IN_LOG", path, sizeof path)) return;
    FILE *file = fopen(path, "a");
    if (!file) return;
    fprintf(file, "%s\n", what);
    fclose(file);
}

static int told(const wchar_t *word)
{
    wchar_t value[64] = L"";
    GetEnvironmentVariableW(L"COVE_STAND_IN", value, 64);
    return wcscmp(value, word) == 0;
}

/* The text of the string that follows "KEY":" in the document, its escaped backslashes undone. */
static void field(const wchar_t *document, const wchar_t *key, wchar_t *out, size_t room)
{
    const wchar_t *at = wcsstr(document, key);
    size_t length = 0;
    *out = 0;
    if (!at) return;
    for (at += wcslen(key); *at && *at != L'"' && length + 1 < room; at++) {
        if (*at == L'\\') at++;
        out[length++] = *at;
    }
    out[length] = 0;
}

static void tell(machine *m, int type, const wchar_t *data)
{
    event e = { type, data, NULL };
    if (m->call) m->call(&e, m->context);
}

static void say(HANDLE pipe, const char *line)
{
    DWORD written;
    WriteFile(pipe, line, (DWORD)strlen(line), &written, NULL);
}

static SOCKET listening(void)
{
    WSADATA data;
    struct sockaddr_in address = { 0 };
    BOOL reuse = TRUE;
    WSAStartup(0x0202, &data);
    SOCKET s = socket(AF_INET, SOCK_STREAM, 0);
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(PORT);
    setsockopt(s, SOL_SOCKET, SO_REUSEADDR, (char *)&reuse, sizeof reuse);
    if (bind(s, (struct sockaddr *)&address, sizeof address) || listen(s, 4)) note("cannot listen");
    return s;
}

#define WORKER(exit, type, detail)                                                                             \
    L"{\"Status\":0,\"ExitType\":\"" exit L"\",\"Attribution\":[{\"WorkerExit\":{\"ExitCode\":0,\"Type\":\"" type \
    L"\",\"Detail\":\"" detail L"\",\"Initiator\":\"GuestOS\"}}]}"

static DWORD WINAPI live(void *parameter)
{
    machine *m = parameter;
    const wchar_t *exit = L"{\"Status\":0,\"ExitType\":\"ForcedExit\"}";
    SOCKET port = INVALID_SOCKET;
    HANDLE pipe = CreateFileW(m->pipe, GENERIC_READ | GENERIC_WRITE, 0, NULL, OPEN_EXISTING, 0, NULL);
    if (pipe == INVALID_HANDLE_VALUE) note("no console");
    say(pipe, "cove-guest: init\r\n");
    if (!strcmp(m->word, "listen")) {
        port = listening();
        say(pipe, "cove-guest: agent ready\r\n");
    }
    if (!*m->word) say(pipe, "cove-guest: agent ready\r\n");
    if (!*m->word || !strcmp(m->word, "listen") || !strcmp(m->word, "idle")) {
        WaitForSingleObject(m->life, INFINITE);
    } else if (WaitForSingleObject(m->life, 200) == WAIT_OBJECT_0) {
        /* killed before it could end by itself */
    } else if (!strcmp(m->word, "poweroff")) {
        exit = WORKER(L"GracefulExit", L"Stopped", L"PowerOff");
    } else if (!strcmp(m->word, "reset")) {
        exit = WORKER(L"GracefulExit", L"StoppedOnReset", L"Reset");
    } else if (!strcmp(m->word, "panic")) {
        say(pipe, "[    1.0] Kernel panic - not syncing: stand-in\r\n");
        tell(m, 2, L"{}");
        exit = WORKER(L"GracefulExit", L"StoppedOnReset", L"Reset");
    } else if (!strcmp(m->word, "lost")) {
        tell(m, 0x02000000, NULL);
        WaitForSingleObject(m->life, INFINITE);
    }
    if (port != INVALID_SOCKET) closesocket(port);
    CloseHandle(pipe);
    /* Late, so that a context which is freed too early is a crash here. */
    Sleep(50);
    note("exit");
    tell(m, 1, exit);
    return 0;
}

EXPORT void *WINAPI HcsCreateOperation(const void *context, void *done) { return calloc(1, sizeof(operation)); }
EXPORT void WINAPI HcsCloseOperation(void *o) { free(o); }

EXPORT HRESULT WINAPI HcsWaitForOperationResult(operation *o, DWORD milliseconds, wchar_t **document)
{
    if (document && o->document) {
        *document = LocalAlloc(0, (wcslen(o->document) + 1) * sizeof(wchar_t));
        wcscpy(*document, o->document);
    }
    return o->result;
}

EXPORT HRESULT WINAPI HcsEnumerateComputeSystems(const wchar_t *query, operation *o)
{
    note("enumerate");
    o->document = L"[]";
    return told(L"refuse") ? REFUSED : S_OK;
}

EXPORT HRESULT WINAPI HcsOpenComputeSystem(const wchar_t *id, DWORD access, void **handle) { return NOT_FOUND; }

EXPORT HRESULT WINAPI HcsGrantVmAccess(const wchar_t *id, const wchar_t *path)
{
    note("grant");
    return GetFileAttributesW(path) == INVALID_FILE_ATTRIBUTES ? HRESULT_FROM_WIN32(ERROR_FILE_NOT_FOUND) : S_OK;
}

EXPORT HRESULT WINAPI HcsCreateComputeSystem(const wchar_t *id, const wchar_t *document, operation *o, const void *access,
                                             machine **handle)
{
    wchar_t word[32];
    note("create");
    if (told(L"refuse") || wcsstr(document, L"stand-in=refuse")) return REFUSED;
    if (told(L"document") || wcsstr(document, L"stand-in=document")) {
        o->result = INVALID_JSON;
        o->document = L"{\"Error\":-2143878899,\"ErrorMessage\":\"The virtual machine could not be made.\","
                      L"\"ErrorEvents\":[{\"Message\":\"The disk is not a VHDX.\"}]}";
        return S_OK;
    }
    machine *m = calloc(1, sizeof *m);
    field(document, L"cove.conformance=", word, 32);
    if (!*word) GetEnvironmentVariableW(L"COVE_STAND_IN", word, 32);
    snprintf(m->word, sizeof m->word, "%ls", word);
    m->word[strspn(m->word, "abcdefghijklmnopqrstuvwxyz")] = 0;
    field(document, L"\"NamedPipe\":\"", m->pipe, 200);
    m->life = CreateEventW(NULL, TRUE, FALSE, NULL);
    *handle = m;
    return S_OK;
}

EXPORT HRESULT WINAPI HcsSetComputeSystemCallback(machine *m, int options, void *context, callback call)
{
    m->call = call;
    m->context = context;
    return S_OK;
}

EXPORT HRESULT WINAPI HcsStartComputeSystem(machine *m, operation *o, const wchar_t *options)
{
    note("start");
    m->thread = CreateThread(NULL, 0, live, m, 0, NULL);
    return S_OK;
}

EXPORT HRESULT WINAPI HcsTerminateComputeSystem(machine *m, operation *o, const wchar_t *options)
{
    note("terminate");
    SetEvent(m->life);
    return S_OK;
}

EXPORT void WINAPI HcsCloseComputeSystem(machine *m)
{
    note("close");
    SetEvent(m->life);
    if (m->thread) {
        WaitForSingleObject(m->thread, INFINITE);
        CloseHandle(m->thread);
    }
    CloseHandle(m->life);
    free(m);
}
