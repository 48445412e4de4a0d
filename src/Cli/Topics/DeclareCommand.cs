using System.CommandLine;
using System.Globalization;
using KafkaEventSourcing.EventLog;
using KafkaEventSourcing.Hosting.CommandLine;

namespace KafkaEventSourcing.Cli.Topics;

/// <summary>
/// <c>kes topics declare APP AGGREGATE…</c>: a declaration of the topics that an application needs, for <c>plan</c> and <c>apply</c>. It
/// asks no cluster.
/// </summary>
internal static class DeclareCommand
{
    private const int DefaultPartitions = 4;

    public static Command Create()
    {
        var application = new Argument<string>("application") { Description = "the application's name" };
        var aggregates = new Argument<string[]>("aggregates") { Description = "its aggregate types", Arity = ArgumentArity.ZeroOrMore };
        var processes = new Option<string[]>("--process")
        {
            Description = "an aggregate type that is a process, which has timers too; may be repeated",
        };
        var partitions = new Option<int>("--partitions")
        {
            Description = $"partitions of each topic, for good (default {DefaultPartitions})",
            DefaultValueFactory = _ => DefaultPartitions,
        };
        var replicas = new Option<short?>("--replication-factor")
        {
            Description = "replicas of each topic (default: left out, so that the cluster decides when it is applied)",
        };
        partitions.Validators.Add(result => Least(result.GetValue(partitions), partitions.Name, result.AddError));
        replicas.Validators.Add(result => Least(result.GetValue(replicas) ?? 1, replicas.Name, result.AddError));
        var command = new Command("declare", "print a declaration of the topics of an application, as plan and apply take it");
        command.Arguments.Add(application);
        command.Arguments.Add(aggregates);
        command.Options.Add(processes);
        command.Options.Add(partitions);
        command.Options.Add(replicas);
        command.Validators.Add(result =>
        {
            if (result.GetValue(aggregates) is null or [] && result.GetValue(processes) is null or [])
                result.AddError("No aggregate type is named: 'kes topics declare shop order' declares the topics of the type order of the "
                    + "application shop.");
        });
        command.SetAction(result =>
        {
            string named = Checked(result.GetValue(application)!, "application");
            (string Name, bool IsProcess)[] types = [.. result.GetValue(aggregates)!.Select(a => (a, false)),
                .. (result.GetValue(processes) ?? []).Select(p => (p, true))];
            if (types.GroupBy(t => t.Name).FirstOrDefault(g => g.Count() > 1) is { Key: var twice })
                throw new InvalidInputException("aggregates",
                    $"The aggregate type {twice} is named twice; a process is named with --process only.");
            Console.WriteLine("topics:");
            foreach ((string name, bool isProcess) in types)
            {
                var family = new TopicFamily(named, Checked(name, "aggregate type"));
                foreach (TopicSpecification topic in TopicDeclaration.For(family, result.GetValue(partitions),
                    result.GetValue(replicas) ?? -1, isProcess).Topics)
                    Write(topic);
            }

            return ExitCodes.Done;
        });
        return command;
    }

    private static void Write(TopicSpecification topic)
    {
        Console.WriteLine($"  - name: {topic.Name}");
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"    partitions: {topic.Partitions}"));
        if (topic.ReplicationFactor > 0)
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"    replicationFactor: {topic.ReplicationFactor}"));
        Console.WriteLine("    configs:");
        foreach ((string config, string value) in topic.Configs)
            Console.WriteLine($"      {config}: \"{value}\"");
    }

    private static string Checked(string name, string what) => name.Length > 0
        && char.IsAsciiLetterLower(name[0])
        && name.All(c => char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c) || c == '-')
        ? name
        : throw new InvalidInputException(what,
            $"The {what} '{name}' must start with a lower case letter and have lower case letters, digits and hyphens: it becomes part of "
                + $"topic names.");

    private static void Least(int value, string option, Action<string> addError)
    {
        if (value < 1)
            addError(string.Create(CultureInfo.InvariantCulture, $"{option} is {value}; at least 1 is needed."));
    }
}
