// Numbers and versions from Monotron. Jenkins shows monotron.txt as the help of this.
//
// Only steps, and plain values between them: it runs in the sandbox too, and survives a restart.

/**
 * Gives the next number of the series `key`, as text; with `token: ...` the same number for the same
 * token. Further options: `url`, `credentials`. Fails the build where there is no number.
 */
String next(Map options = [:], Object key) {
    checkOptions(options, ['token', 'url', 'credentials'])
    List words = ['next', checked('key', key)]
    if (options.containsKey('token')) {
        words.add(checked('token', options.token))
    }
    return ask(options, words)
}

/**
 * Gives the version after a bump of `major`, `minor` or `patch`, such as 1.3.0; the same one for the
 * same token. Options: `url`, `credentials`. Fails the build where there is no version.
 */
String version(Map options = [:], Object name, Object bump, Object token) {
    checkOptions(options, ['url', 'credentials'])
    return ask(options, ['version', checked('name', name), checked('bump', bump), checked('token', token)])
}

private void checkOptions(Map options, List allowed) {
    int known = 0
    for (int i = 0; i < allowed.size(); i++) {
        if (options.containsKey(allowed[i])) {
            known++
        }
    }
    if (known != options.size()) {
        error("monotron: the options are ${allowed}, and here are others: ${options}")
    }
}

private String checked(String what, Object value) {
    if (value == null) {
        error("monotron: the ${what} is null (env.GIT_COMMIT is, before a checkout)")
    }
    if (!(value instanceof CharSequence) && !(value instanceof Number)) {
        error("monotron: the ${what} has to be text, and this is none: ${value}")
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
        error('monotron: no address; set the variable MONOTRON_URL or the option url')
    }
    // As variables, never as text of the script: a branch may be called $(rm -rf .).
    List variables = ['MONOTRON_URL=' + url]
    boolean ascii = true
    String arguments = ''
    for (int i = 0; i < words.size(); i++) {
        String word = words[i]
        ascii = ascii && word.matches('\\p{ASCII}*')
        variables.add('MONOTRON_WORD' + i + '=' + word)
        arguments += ' "$MONOTRON_WORD' + i + '"'
    }
    // With a first line like this Jenkins runs it without -x.
    String script = '#!/bin/sh\n'
    if (!ascii) {
        variables.add('MONOTRON_LETTER=\u00fc')
        script += letterCheck()
    }
    script += 'set --' + arguments + '\n' + libraryResource('monotron.sh')

    String credentials = options.credentials ?: env.MONOTRON_CREDENTIALS
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
        error('monotron: the script gave no number')
    }
    return answer
}

/**
 * The start of a script that ends it unless a letter beyond ASCII arrives as UTF-8. Java encodes
 * variables as the locale says that it was started in; without one each such letter becomes `?`, and
 * two tokens can become the same.
 */
private String letterCheck() {
    return '''[ "$MONOTRON_LETTER" = "$(printf '\\303\\274')" ] || {
    echo "monotron: this agent's Java has no UTF-8 locale: names beyond ASCII would not arrive whole;" \\
        'set LC_ALL=C.UTF-8 where the agent is started' >&2
    exit 1
}
'''
}
