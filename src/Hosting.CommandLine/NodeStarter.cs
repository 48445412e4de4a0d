using System.CommandLine;
using KafkaEventSourcing.Hosting.CommandLine;
using KafkaEventSourcing.Hosting.Hosts;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging;

namespace KafkaEventSourcing.Hosting;

/// <summary>Starts nodes for commands of the command line, from the options that they share.</summary>
public sealed class NodeStarter
{
    private const string SettingsFile = "appsettings.json";

    internal NodeStarter(ApplicationDefinition application, IEmbeddedServers? embedded) =>
        (Application, Embedded, EmbeddedOptions) = (application, embedded, new EmbeddedServerOptions(embedded));

    /// <summary>The application.</summary>
    public ApplicationDefinition Application { get; }

    /// <summary>The shared options.</summary>
    public ServerOptions Options { get; } = new();

    /// <summary>The clock.</summary>
    public TimeProvider Time { get; } = OffsetTimeProvider.OfEnvironment();

    internal IEmbeddedServers? Embedded { get; }

    internal EmbeddedServerOptions EmbeddedOptions { get; }

    /// <summary>Adds the shared options to <paramref name="command"/>, and those of embedded servers.</summary>
    public void AddOptions(Command command)
    {
        foreach (Option option in Options.All.Concat(EmbeddedOptions.All))
            command.Options.Add(option);
    }

    /// <summary>Starts servers where none are named, and a node on them, as <paramref name="result"/> says.</summary>
    /// <param name="result">The parsed command line, of a command that has the shared options.</param>
    /// <param name="dataDirectory">Where the data is when neither <c>--data</c> nor the configuration says it.</param>
    /// <param name="cancellationToken">Ends the start.</param>
    /// <exception cref="InvalidInputException">An option is unusable.</exception>
    public async Task<NodeHandle> StartAsync(ParseResult result, string dataDirectory, CancellationToken cancellationToken = default)
    {
        var options = new KafkaEventSourcingOptions();
        Configure(options, result, dataDirectory);
        Check(options);
        ILoggerFactory loggers = Options.CreateLog(result);
        try
        {
            return await NodeHandle.Start(Application, Embedded, options, EmbeddedOptions.ValuesOf(result), loggers, ownsLoggers: true,
                services: null, Time, static _ => { }, cancellationToken).ConfigureAwait(false);
        }
        catch
        {
            loggers.Dispose();
            throw;
        }
    }

    /// <summary>Starts the servers that none are named for, without a node, as <paramref name="result"/> says.</summary>
    /// <inheritdoc cref="StartAsync"/>
    internal async Task<IServers> StartServersAsync(ParseResult result, string dataDirectory, ILoggerFactory loggers,
        CancellationToken cancellationToken)
    {
        var options = new KafkaEventSourcingOptions();
        Configure(options, result, dataDirectory);
        Check(options);
        return await NodeHandle.StartServers(Application, Embedded, options, EmbeddedOptions.ValuesOf(result), loggers,
            cancellationToken).ConfigureAwait(false);
    }

    /// <summary>
    /// Sets what the configuration says (<c>appsettings.json</c> of the current folder, then variables such as
    /// <c>KafkaEventSourcing__Partitions</c>), and over it what <paramref name="result"/> says.
    /// </summary>
    /// <exception cref="InvalidInputException">The configuration, or an option, cannot be read.</exception>
    internal void Configure(KafkaEventSourcingOptions options, ParseResult result, string dataDirectory)
    {
        try
        {
            IConfigurationSection section = new ConfigurationBuilder().AddJsonFile(Path.GetFullPath(SettingsFile), optional: true)
                .AddEnvironmentVariables().Build().GetSection(KafkaEventSourcingOptions.SectionName);
            if (OptionNames.Unknown(section).FirstOrDefault() is { } unknown)
                throw OptionNames.InConfiguration(unknown, KafkaEventSourcingOptions.SectionName);
            section.Bind(options);
        }
        catch (Exception unreadable) when (unreadable is InvalidDataException or InvalidOperationException)
        {
            throw new InvalidInputException(KafkaEventSourcingOptions.SectionName,
                $"The configuration cannot be read: {unreadable.Message} {unreadable.InnerException?.Message}".TrimEnd(), unreadable);
        }

        Options.Apply(result, options);
        options.DataDirectory ??= dataDirectory;
    }

    /// <summary>Checks <paramref name="options"/>: nothing has been started or asked, and nothing is written but the data folder.</summary>
    /// <exception cref="InvalidInputException">One is unusable.</exception>
    internal void Check(KafkaEventSourcingOptions options)
    {
        if (OptionRules.Failures(options, Application).FirstOrDefault() is { } wrong)
            throw wrong;
        if (Embedded is null && OptionRules.Missing(options.Addresses, Application.NeedsMongoDB) is { } missing)
            throw missing;
        FileDescriptors.Check(FileDescriptors.Needed(Application.Aggregates.Count, options.Partitions));
        DataFolder.Create(options.DataDirectoryOf(Application.Name));
    }
}
