// Numbers and versions from Monotron. Jenkins shows monotron.txt as its help.
//
// Only steps, and plain values between them: it also runs in the sandbox, and survives a restart.

/**
 * Returns the next number of the series `key`, as text; with `token: ...`, the same number for the
 * same token. Further options: `remember`, `width`, `url`, `credentials`. Fails the build if it gets no
 * number.
 */
String next(Map options = [:], Object key) {
    checkOptions(options, ['token', 'remember', 'width', 'url', 'credentials'])
    List words = []
    if (options.remember == true) {
        words.add('--remember')
    } else if (options.containsKey('remember') && options.remember != false) {
        error('monotron: remember must be true or false')
    }
    addOption(words, options, 'width')
    words.add('next')
    words.add(checked('key', key))
    if (options.containsKey('token')) {
        words.add(checked('token', options.token))
    }
    return ask(options, words)
}

/**
 * Returns the version after a bump of `major`, `minor` or `patch`, such as 1.3.0; the same one for the
 * same token. Options: `pre`, for a pre-release such as 1.3.0-rc.1; `url`, `credentials`. Fails the build if
 * it gets no version.
 */
String version(Map options = [:], Object name, Object bump, Object token) {
    checkOptions(options, ['pre', 'url', 'credentials'])
    List words = []
    addOption(words, options, 'pre')
    words.addAll(['version', checked('name', name), checked('bump', bump), checked('token', token)])
    return ask(options, words)
}

/**
 * Returns the next calendar version of a scheme such as `YYYY.0M.MICRO`; the same one for the same token.
 * Options: `tz`, `url`, `credentials`. Fails the build if it gets no version.
 */
String calver(Map options = [:], Object name, Object scheme, Object token) {
    checkOptions(options, ['tz', 'url', 'credentials'])
    List words = []
    addOption(words, options, 'tz')
    words.addAll(['calver', checked('name', name), checked('scheme', scheme), checked('token', token)])
    return ask(options, words)
}

/**
 * Moves the series `key` up to `value`, so that the next number is the one after it, and returns it. Options:
 * `url`, `credentials`. Fails the build if the series is beyond it.
 */
String seed(Map options = [:], Object key, Object value) {
    checkOptions(options, ['url', 'credentials'])
    return ask(options, ['seed', checked('key', key), checked('value', value)])
}

private void addOption(List words, Map options, String name) {
    if (options.containsKey(name)) {
        words.add('--' + name + '=' + checked(name, options[name]))
    }
}

private void checkOptions(Map options, List allowed) {
    int known = 0
    for (int i = 0; i < allowed.size(); i++) {
        if (options.containsKey(allowed[i])) {
            known++
        }
    }
    if (known != options.size()) {
        error("monotron: the options can be ${allowed}, but others were given: ${options}")
    }
}

private String checked(String what, Object value) {
    if (value == null) {
        error("monotron: the ${what} is null (as env.GIT_COMMIT is before a checkout)")
    }
    if (!(value instanceof CharSequence) && !(value instanceof Number)) {
        error("monotron: the ${what} must be text, not ${value}")
    }
    String text = value.toString()
    if (text.isEmpty()) {
        error("monotron: the ${what} is empty")
    }
    return text
}

private String ask(Map options, List words) {
    String url = options.url ?: env.MONOTRON_URL
    if (!url) {
        error('monotron: no address: set the variable MONOTRON_URL or the option url')
    }
    // As variables, never as script text: a branch may be named $(rm -rf .).
    List variables = ['MONOTRON_URL=' + url]
    boolean ascii = true
    String arguments = ''
    for (int i = 0; i < words.size(); i++) {
        String word = words[i]
        ascii = ascii && word.matches('\\p{ASCII}*')
        variables.add('MONOTRON_WORD' + i + '=' + word)
        arguments += ' "$MONOTRON_WORD' + i + '"'
    }
    // With this first line, Jenkins runs it without -x.
    String script = '#!/bin/sh\n'
    if (!ascii) {
        variables.add('MONOTRON_LETTER=\u00fc')
        script += letterCheck()
    }
    script += 'set --' + arguments + '\n' + libraryResource('monotron.sh')

    String credentials = options.credentials ?: env.MONOTRON_CREDENTIALS
    if (credentials) {
        // A build's own MONOTRON_KEY would win over these.
        variables.add('MONOTRON_KEY=')
    }
    String answer = ''
    withEnv(variables) {
        if (credentials) {
            withCredentials([usernamePassword(
                credentialsId: credentials,
                usernameVariable: 'MONOTRON_API_KEY',
                passwordVariable: 'MONOTRON_API_SECRET'
            )]) {
                answer = sh(script: script, returnStdout: true, label: 'monotron')
            }
        } else {
            answer = sh(script: script, returnStdout: true, label: 'monotron')
        }
    }
    answer = answer.trim()
    if (answer.isEmpty()) {
        error('monotron: the script printed no number')
    }
    return answer
}

/**
 * The start of a script, which ends it unless a non-ASCII letter arrives as UTF-8. Java encodes
 * variables in the locale that it was started with; without one, each such letter becomes `?`, and two
 * tokens can become the same.
 */
private String letterCheck() {
    return '''[ "$MONOTRON_LETTER" = "$(printf '\\303\\274')" ] || {
    echo "monotron: this agent's Java has no UTF-8 locale: non-ASCII names would be damaged;" \\
        'set LC_ALL=C.UTF-8 where the agent is started' >&2
    exit 1
}
'''
}
