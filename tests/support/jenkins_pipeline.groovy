/*
 * Runs pipelines as Jenkins does, as far as clients/jenkins and the guides need it.
 *
 * Each line of stdin is a build as JSON, each line of stdout what became of it. Steps that are not
 * here fail as unknown ones do in Jenkins. `sh` starts a real shell, as the plugin durable-task does.
 */

import groovy.json.JsonOutput
import groovy.json.JsonSlurper
import org.codehaus.groovy.control.CompilerConfiguration

System.in.eachLine('UTF-8') { line ->
    println JsonOutput.toJson(run(new JsonSlurper().parseText(line)))
}

Map run(Map wanted) {
    Build build = new Build(wanted)
    Object result = null
    String failure = null
    try {
        Steps pipeline = build.load(wanted.script)
        result = pipeline.run()
    } catch (Throwable error) {
        // What a build fails with is data here; whoever asked for it decides whether it should.
        failure = error instanceof Failed ? error.message : error.toString()
        build.say("ERROR: ${failure}")
    }
    return [result: result, failure: failure, log: build.log.getText('UTF-8'),
            env: build.env, displayName: build.currentBuild.displayName]
}

/** What `error` and a shell that fails throw; Jenkins shows its message without a stack trace. */
class Failed extends Exception {
    Failed(String message) {
        super(message)
    }
}

/** The annotation that loads a library. The only one there is here is always loaded. */
@interface Library {
    String value()
}

/** The variables of a build: all of them are text, and one that is not there is null. */
class Variables extends LinkedHashMap {
    @Override
    Object put(Object name, Object value) {
        return super.put(name, String.valueOf(value))
    }
}

class Build {
    final Variables env = new Variables()
    final Map currentBuild = [displayName: null]
    final File workspace
    final File library
    final File log
    final Map credentials
    final List args
    final Map environment
    final List<Map> overrides = []

    Build(Map wanted) {
        workspace = new File(wanted.workspace)
        library = new File(wanted.library)
        log = File.createTempFile('build', '.log', workspace)
        credentials = wanted.credentials
        args = wanted.args
        environment = wanted.environment
        wanted.env.each { name, value -> env.put(name, value) }
    }

    Steps load(String text) {
        Steps loaded = shell().parse(text, 'Jenkinsfile')
        return with(loaded, with(shell().parse(new File(library, 'vars/monotron.groovy')), null))
    }

    void say(String line) {
        log.append(line + '\n', 'UTF-8')
    }

    private GroovyShell shell() {
        CompilerConfiguration configuration = new CompilerConfiguration()
        configuration.scriptBaseClass = Steps.name
        configuration.sourceEncoding = 'UTF-8'
        return new GroovyShell(getClass().classLoader, new Binding(), configuration)
    }

    private Steps with(Steps script, Steps monotron) {
        Map variables = [build: this, env: env, currentBuild: currentBuild, args: args, any: 'any', _: null]
        if (monotron != null) {
            variables.monotron = monotron
        }
        script.binding = new Binding(variables)
        return script
    }
}

abstract class Steps extends Script {
    Object sh(String script) {
        return sh(script: script)
    }

    Object sh(Map options) {
        File script = File.createTempFile('script', '.sh', build.workspace)
        script.setText(options.script, 'UTF-8')
        // A script with an interpreter of its own is run by that, any other one with a trace.
        boolean own = options.script.startsWith('#!')
        script.executable = own
        File output = options.returnStdout ? File.createTempFile('output', '', build.workspace) : build.log
        ProcessBuilder process = new ProcessBuilder(own ? [script.path] : ['/bin/sh', '-xe', script.path])
        process.directory(build.workspace)
        process.environment().clear()
        ([build.environment, build.env] + build.overrides).each { Map variables ->
            variables.each { name, value -> process.environment().put(name, value.toString()) }
        }
        process.redirectInput(new File('/dev/null'))
        process.redirectOutput(ProcessBuilder.Redirect.appendTo(output))
        process.redirectError(ProcessBuilder.Redirect.appendTo(build.log))
        int status = process.start().waitFor()
        if (status != 0) {
            throw new Failed("script returned exit code ${status}")
        }
        return options.returnStdout ? output.getText('UTF-8') : null
    }

    Object withEnv(List variables, Closure body) {
        Map given = [:]
        variables.each { pair ->
            int split = pair.indexOf('=')
            given[pair.substring(0, split)] = pair.substring(split + 1)
        }
        return within(given, body)
    }

    Object withCredentials(List bindings, Closure body) {
        Map given = [:]
        bindings.each { binding ->
            List pair = build.credentials[binding.credentialsId]
            if (pair == null) {
                throw new Failed("Could not find credentials entry with ID '${binding.credentialsId}'")
            }
            given[binding.usernameVariable] = pair[0]
            given[binding.passwordVariable] = pair[1]
        }
        return within(given, body)
    }

    Map usernamePassword(Map binding) {
        return binding
    }

    String libraryResource(String path) {
        File file = new File(build.library, "resources/${path}")
        if (!file.exists()) {
            throw new Failed("No such library resource ${path} could be found.")
        }
        return file.getText('UTF-8')
    }

    void error(String message) {
        throw new Failed(message)
    }

    void echo(String message) {
        build.say(message)
    }

    void node(Closure body) {
        body()
    }

    // The sections of a declarative pipeline.
    void pipeline(Closure body) { body() }
    void agent(String where) { }
    void stages(Closure body) { body() }
    void stage(String name, Closure body) { body() }
    void steps(Closure body) { body() }
    void script(Closure body) { body() }

    void environment(Closure body) {
        body.delegate = build.env
        body.resolveStrategy = Closure.DELEGATE_FIRST
        body()
    }

    private Object within(Map variables, Closure body) {
        build.overrides.add(variables)
        try {
            return body()
        } finally {
            build.overrides.pop()
        }
    }
}
