/* The variables that the service starts with; setup replaces them as a whole. */
#include "lumetry-svc.h"

int set_environment(void)
{
    static char input[32 * 1024];
    static wchar_t lines[sizeof input + 2];
    HKEY key;
    int length = read_input(input, sizeof input);
    if (length < 0) return failed_with(L"the environment", ERROR_BUFFER_OVERFLOW);
    int wide = length ? MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, input, length, lines, (int)sizeof input) : 0;
    if (length && !wide) return failed(L"the environment");

    /* Lines become strings, one after the other, with an empty one at the end. */
    int count = 0;
    for (int at = 0; at < wide; at++) {
        if (lines[at] == L'\r') continue;
        wchar_t letter = lines[at] == L'\n' ? 0 : lines[at];
        if (letter || (count && lines[count - 1])) lines[count++] = letter;
    }
    if (count && lines[count - 1]) lines[count++] = 0;
    lines[count++] = 0;
    for (wchar_t *line = lines; *line; line += wcslen(line) + 1)
        if (wcschr(line, L'=') == NULL || *line == L'=') {
            fputws(L"the environment: a line has no name before an equals sign\n", stderr);
            return ENDED_BY_USAGE;
        }

    LSTATUS error = RegOpenKeyExW(HKEY_LOCAL_MACHINE, SERVICE_KEY, 0, KEY_SET_VALUE, &key);
    if (error) return failed_with(L"the service's key in the registry", (DWORD)error);
    /* It may hold the enrollment token: nobody may read the key before it does. */
    int ending = protect_service_key();
    if (!ending) {
        error = count > 1 ? RegSetValueExW(key, L"Environment", 0, REG_MULTI_SZ, (BYTE *)lines,
                                           (DWORD)(count * sizeof *lines))
                          : RegDeleteValueW(key, L"Environment");
        if (error == ERROR_FILE_NOT_FOUND) error = ERROR_SUCCESS;
        if (error) ending = failed_with(L"the environment", (DWORD)error);
        else RegFlushKey(key);
    }
    SecureZeroMemory(input, sizeof input);
    SecureZeroMemory(lines, sizeof lines);
    RegCloseKey(key);
    return ending;
}

/* Takes these variables into this process, where the service control manager has not done so. */
void take_environment(void)
{
    static wchar_t lines[32 * 1024];
    DWORD size = sizeof lines;
    if (RegGetValueW(HKEY_LOCAL_MACHINE, SERVICE_KEY, L"Environment", RRF_RT_REG_MULTI_SZ, NULL, lines, &size)) return;
    for (wchar_t *line = lines, *next; *line; line = next) {
        next = line + wcslen(line) + 1;
        wchar_t *equals = wcschr(line, L'=');
        if (!equals) continue;
        *equals = 0;
        SetEnvironmentVariableW(line, equals + 1);
    }
}
